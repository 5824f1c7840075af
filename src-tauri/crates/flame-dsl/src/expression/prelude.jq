# The filters of jq that are written in jq. What begins with `_` is for this file alone.

def empty: {}[] as $x | .;
def true: 0 == 0;
def false: 0 != 0;
def null: [][0];
def not: if . then false else true end;
def select(f): if f then . else empty end;
def error: error_empty as $x | .;
def error(message): (message | error_empty) as $x | .;
def tostring: @text;
def map(f): [.[] | f];
def map_values(f): .[] |= f;

# Kinds
def isboolean: type == "boolean";
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def toboolean:
  if type == "boolean" then .
  elif . == "true" then true
  elif . == "false" then false
  else error("\(type) (\(tojson)) cannot be parsed as a boolean") end;
def toarray: if type == "array" then . else [.] end;
def have_literal_numbers: true;
def have_decnum: false;

# Numbers
def isinfinite: . == infinite or . == -infinite;
def isfinite: type == "number" and (isinfinite | not);
def isnormal: type == "number" and ((. == 0 or isnan or isinfinite) | not);
def finites: select(isfinite);
def normals: select(isnormal);
def abs: if . < 0 then -. else . end;
def ldexp($x; $e): _ldexp($x; $e | trunc);
def scalbln($x; $e): _scalbln($x; $e | trunc);
def scalb($x; $e): if ($e | trunc) == $e then ldexp($x; $e) else ($x | trunc | nan) end;
def logb: if . == 0 then -infinite elif isinfinite then infinite elif isnan then . else ilogb end;
def significand: if isinfinite or isnan or . == 0 then . else scalbln(.; ilogb | -1 * .) end;
def pow10: pow(10; .);
def drem($left; $right): remainder($left; $right) | if . == 0 then copysign(.; $left) else . end;
def nexttoward($x; $y): nextafter($x; $y);
def nearbyint: rint;
def gamma: lgamma;
def lgamma_r: [lgamma, if . < 0 and floor != . and floor % 2 != 0 then -1 else 1 end];

# Streams
def range($from; $to; $by): if $by == 0 then empty else _range($from; $to; $by) end;
def range($from; $to):
  if ($from | type) == "number" and ($to | type) == "number" then _range($from; $to; 1)
  else error("Range bounds must be numeric") end;
def range($to): range(0; $to);
def repeat(f): def again: ., (f | again); again;
def recurse(f): def again: ., (f | again); again;
def recurse: recurse(.[]?);
def recurse(f; condition): def again: ., (f | select(condition) | again); again;
def while(condition; update): def again: if condition then ., (update | again) else empty end; again;
def until(condition; update): def again: if condition then . else update | again end; again;
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def limit($n; f):
  if $n < 0 then error("Limit doesn't support negative count") else _limit($n; f) end;
def skip($n; f):
  if $n < 0 then error("Skip doesn't support negative count") else _skip($n; f) end;
def nth($n; f):
  if $n < 0 then error("Out of bounds negative array index") else first(skip($n; f)) end;
def isempty(f): first((f | false), true);
def all(f; condition): isempty(first(f | condition | select(. | not)));
def any(f; condition): isempty(first(f | condition | select(.))) | not;
def all(condition): all(.[]; condition);
def any(condition): any(.[]; condition);
def all: all(.[]; .);
def any: any(.[]; .);
def add(f): reduce f as $x (null; . + $x);
def in(whole): . as $x | whole | has($x);
def inside(whole): . as $x | whole | contains($x);
def combinations:
  if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $rest | [$x] + $rest end;
def combinations($n): . as $in | [range($n) | $in] | combinations;

# Arrays
def flatten: flatten(1000000);
def index($part): indices($part) | .[0];
def rindex($part): indices($part) | .[-1:][0];
def sort_by(f): if type == "array" and length == 1 then map([f]) as $keys | . else _sort_by(f) end;
def min_by(f): first(min_by_or_empty(f), null);
def max_by(f): first(max_by_or_empty(f), null);
def min: min_by(.);
def max: max_by(.);
def unique_by(f): [group_by(f)[] | .[0]];
def unique: unique_by(.);
def ascii: [.] | implode;
def transpose: [range(0; map(length) | max // 0) as $column | [.[][$column]]];

# Paths
def paths: path(..) | select(length > 0);
def paths(condition): path(.. | select(condition)) | select(length > 0);
def leaf_paths: paths(scalars);
def getpath($path):
  if ($path | type) == "array" then reduce $path[] as $p (.; .[$p])
  else error("Path must be specified as an array") end;
def setpath($path; $value): getpath($path) = $value;
def del(f): delpaths([path(f)]);
def pick(f): . as $in | reduce path(f) as $path (null; setpath($path; $in | getpath($path)));
def walk(f):
  def again:
    if type == "object" then map_values(again) elif type == "array" then map(again) else . end | f;
  again;
def with_entries(f): to_entries | map(f) | from_entries;
def tostream:
  path(def again: (.[]? | again), .; again) as $path
  | getpath($path)
  | reduce path(.[]?) as $last ([$path, .]; [$path + $last]);
def fromstream(f):
  foreach f as $event ({value: null, done: false};
    if .done then {value: null, done: false} else . end
    | if ($event | length) == 2
      then setpath(["done"]; $event[0] | length == 0) | setpath(["value"] + $event[0]; $event[1])
      else setpath(["done"]; $event[0] | length == 1) end;
    if .done then .value else empty end);
def truncate_stream(stream): . as $n | null | stream | . as $event
  | if ($event[0] | length) > $n then setpath([0]; $event[0][$n:]) else empty end;

# Lookup
def INDEX(stream; key): reduce stream as $row ({}; .[$row | key | tostring] |= $row);
def INDEX(key): INDEX(.[]; key);
def IN(stream): any(stream == .; .);
def IN(source; stream): any(source == stream; .);
def JOIN($index; key): [.[] | [., $index[key]]];
def JOIN($index; stream; key): stream | [., $index[key]];
def JOIN($index; stream; key; join): stream | [., $index[key]] | join;

# Text
def trim: _trim(0);
def ltrim: _trim(-1);
def rtrim: _trim(1);
def trimstr($part): ltrimstr($part) | rtrimstr($part);

# Formats
def format($name):
  if $name == "text" then @text elif $name == "json" then @json elif $name == "csv" then @csv
  elif $name == "tsv" then @tsv elif $name == "html" then @html elif $name == "uri" then @uri
  elif $name == "urid" then @urid elif $name == "sh" then @sh elif $name == "base64" then @base64
  elif $name == "base64d" then @base64d
  else error("\($name) is not a valid format") end;

# Regular expressions
def match($re; $flags): _match($re; $flags)[];
def match($re): if $re | type == "array" then match($re[0]; $re[1]) else match($re; null) end;
def test($re; $flags): _test($re; $flags);
def test($re): if $re | type == "array" then _test($re[0]; $re[1]) else _test($re; null) end;
def _captured: reduce (.captures[] | select(.name != null)) as $c ({}; .[$c.name] = $c.string);
def capture($re; $flags): match($re; $flags) | _captured;
def capture($re): match($re) | _captured;
def _scanned: if .captures | length > 0 then [.captures[].string] else .string end;
def scan($re; $flags): match($re; "g" + $flags) | _scanned;
def scan($re): if $re | type == "array" then scan($re[0]; $re[1]) else scan($re; null) end;
def split($re; $flags): _split($re; "g" + $flags);
def splits($re; $flags): _split($re; "g" + $flags)[];
def splits($re): splits($re; null);
def sub($re; f; $flags):
  . as $in
  | [_edits($re; $flags)[] | if type == "object" then [f] else [.] end]
  | if all(.[]; length == 1) then map(.[0])
      | if all(.[]; type == "string") then _concat else add end
    else . as $parts
      | [range(0; length - 1; 2)]
      | reduce .[] as $at ([]; $parts[$at][0] as $gap | $parts[$at + 1] as $new
          | reduce range(0; $new | length) as $n (.; .[$n] += $gap + $new[$n]))
      | if . == [] then $in else .[] + $parts[-1][0] end end;
def sub($re; f): sub($re; f; null);
def gsub($re; f; $flags): sub($re; f; "g" + $flags);
def gsub($re; f): sub($re; f; "g");

# Time, all in UTC
def _seconds:
  if type != "number" then error("\(type) (\(tojson)) is not a time: a number of seconds is")
  elif fabs > 300000000000 then error("\(tojson) seconds are beyond the calendar") else . end;
def _broken_down:
  if type != "array" or length < 6 or any(.[:6][]; type != "number" or fabs > 30000)
      or .[1] < 0 or .[1] > 11
  then error("\(type) (\(tojson)) is not a broken down time: year, month from 0, day, hour, minute, second are")
  else . end;
def gmtime: _seconds | _gmtime;
def mktime: _broken_down | _mktime | floor;
def strftime($format):
  if $format | type != "string" then error("strftime/1 requires a string format")
  elif $format | length > 1000 then error("a time's format may have 1000 characters")
  elif type == "array" then _broken_down | _strftime($format)
  else _seconds | _strftime($format) end;
def strptime($format):
  if type != "string" then error("strptime/1 requires string inputs and arguments, not \(type) (\(tojson))")
  else _strptime($format) end;
def todateiso8601:
  if type == "array" then strftime("%Y-%m-%dT%H:%M:%SZ") else _seconds | floor | _todateiso8601 end;
def todate: todateiso8601;
def date: todate;
def fromdate: fromdateiso8601;
def dateadd(unit; $n): . + $n;
def datesub(unit; $n): . - $n;
