//! Where we differ from libjq on purpose.

/// Why, and the lines of `filters.txt` and `pairs.txt` that show it. One that no longer shows it fails.
pub(super) const DIFFERENCES: &[(&str, &[&str])] = &[
    (
        "numbers are 64-bit integers or doubles with the fewest digits that tell them apart, not the text of the source",
        &[
            "3.10 | tojson",
            "[1e-5, 0.0001, 1e17, 1e16, 1.0, 1.50, 1e2] | tojson",
            "[.1, 1.1, 12345.678, 1e300, 5e-324, 1.7976931348623157e308] | map(tostring)",
            "have_decnum",
            "have_literal_numbers, have_decnum",
        ],
    ),
    ("JSON has no plus sign", &["fromjson"]),
    ("a text can be reversed", &["reverse"]),
    (
        "what is no text passes through the trimming of a part: data is seldom all of one kind",
        &[
            "ltrimstr(\"a\")",
            "rtrimstr(\"c\")",
            "trimstr(\"a\")",
            "ltrimstr(1)",
            "ltrimstr(\"a\", \"b\")",
            "ltrimstr(\"x\") | rtrimstr(\"y\")",
            "ltrimstr(\"\")",
            "ltrimstr($a)",
            "rtrimstr($a)",
            "trimstr($a)",
            "ltrimstr($a) | rtrimstr($a)",
        ],
    ),
    (
        "entries may be named by numbers, booleans and null, or not at all",
        &[
            "from_entries",
            "with_entries(.)",
            "with_entries(.value |= 1)",
            "with_entries(select(.key != \"a\"))",
            "with_entries(.value = $a)",
        ],
    ),
    (
        "each invalid byte of decoded base64 is replaced, and no valid one",
        &["@base64d"],
    ),
    (
        "a time wants all its parts, from the year to the second",
        &[
            "mktime",
            "todate",
            "todateiso8601",
            "strftime(\"%Y-%m-%dT%H:%M:%SZ\")",
            "strftime($a)",
            "strptime($a)",
        ],
    ),
    (
        "the zone is called UTC, and the last second of 1969 is a time",
        &[
            "strftime(\"%A, %B %d, %Y %j %u %w %e %I %p %y %C %U %Z %s\")",
            "gmtime | mktime",
        ],
    ),
    (
        "a fold over paths goes on from the path before",
        &[
            "path(reduce (1, 2) as $i (.; .a))",
            "path(foreach (0, 1) as $i (.; .[$i]))",
            "path(last(.[]?))",
            "last(.[]?) = 3",
        ],
    ),
    (
        "an empty match stands between characters, not between bytes",
        &[
            "[match(\"\"; \"g\").offset]",
            "gsub(\"\"; \"-\")",
            "split(\"\"; \"g\")",
            "[match(\"a*?\"; \"g\").length]",
        ],
    ),
    (
        "how many is a number, even where there is nothing to count",
        &[
            "flatten($a)",
            "[limit($a; .[]?)]",
            "[skip($a; .[]?)]",
            "[nth($a; .[]?)]",
            "first(limit($a; .[]?))",
        ],
    ),
    (
        "an object without a value is not asked for the rest",
        &["{(error(\"k\")): empty}", "{a: error(\"a\"), b: empty}"],
    ),
];
