"""The paper's claims, what was measured for each, and the verdict."""

from absorption.claims.catalogue import load
from absorption.claims.page import page
from absorption.claims.records import ledger, record, record_table, restated, summary, tally
from absorption.claims.rules import judge
