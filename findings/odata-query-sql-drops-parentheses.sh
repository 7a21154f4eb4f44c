#!/usr/bin/env bash
# A filter's parentheses are lost on the way from OData to SQL, and other rows come back.
#
# Versions: PyPI odata-query 0.10.0, sly 0.5, python-dateutil 2.9.0.post0; Python's own SQLite.
#
# Guess: a translator that parses `(Total sub Discount) mul 2 gt 100` into a tree writes SQL of the same meaning; where the operators'
# precedence asks for brackets, it sets them, as it does for `and` and `or`.
# Seen: both SQL back ends write arithmetic without any brackets: `"Total" - "Discount" * 2 > 100`. The tree is right, the SQL is another
# formula, and the database answers without an error. `Total sub (Discount sub Rebate)` becomes `"Total" - "Discount" - "Rebate"` in
# SQL, and even in OData itself when the tree is written back.
#
# Output seen:
#   "Total" - "Discount" * 2 > 100
#   invoices by hand [1, 2], by the SQL [2]
#   Total sub Discount sub Rebate gt 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-deps odata-query==0.10.0 sly==0.5 python-dateutil==2.9.0.post0 six==1.17.0

env/bin/python - >seen <<'PY'
import sqlite3

from odata_query.grammar import ODataLexer, ODataParser
from odata_query.roundtrip import AstToODataVisitor
from odata_query.sql import AstToSqliteSqlVisitor, AstToSqlVisitor


def tree(text):
    return ODataParser().parse(ODataLexer().tokenize(text))


twice = tree("(Total sub Discount) mul 2 gt 100")
sql = AstToSqliteSqlVisitor().visit(twice)
assert sql == AstToSqlVisitor().visit(twice)
print(sql)

invoices = [(1, 120, 60), (2, 130, 10), (3, 40, 10)]
books = sqlite3.connect(":memory:")
books.execute('CREATE TABLE invoice (Id INTEGER, "Total" INTEGER, "Discount" INTEGER)')
books.executemany("INSERT INTO invoice VALUES (?, ?, ?)", invoices)
meant = [number for number, total, discount in invoices if (total - discount) * 2 > 100]
got = [number for number, in books.execute(f"SELECT Id FROM invoice WHERE {sql}")]
print(f"invoices by hand {meant}, by the SQL {got}")
print(AstToODataVisitor().visit(tree("Total sub (Discount sub Rebate) gt 100")))
PY
cat seen
diff seen - <<'SEEN'
"Total" - "Discount" * 2 > 100
invoices by hand [1, 2], by the SQL [2]
Total sub Discount sub Rebate gt 100
SEEN
