"""Answers a line (a program and an input, as JSON) with a line: what libjq makes of it."""
import json
import sys

import jq

for line in sys.stdin:
    program, value = json.loads(line)
    try:
        compiled = jq.compile(program)
        try:
            answer = {"Value": compiled.input_text(value).text()}
        except ValueError as error:
            answer = {"Failed": str(error)}
    except ValueError as error:
        answer = {"Refused": str(error)}
    print(json.dumps(answer), flush=True)
