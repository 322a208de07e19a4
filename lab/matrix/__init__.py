"""The matrix: which cells, in what order, on which machine. Each cell is a process of its own, and leaves a record.

What stands where: `plan` the cells and the command line of one, `chosen` what is run in it, `shards` order and
shares, `ledger` the file `matrix.json`, `attempt` one process from start to end, `growth` a record that is being
written, `room` how many at once, `ready` images, `course` the matrix from start to end, `merge` several matrices made
one, `view` the table.

A matrix folder (docs/matrix.md says it for people):

    matrix.json                   what was asked, and the state of each cell; written anew as a cell changes
    cells/NAME/run.ndjson         the cell's record: of its last try that left one
    cells/NAME/attempt-N.ndjson   records of the tries before
    cells/NAME/output.txt         the last words of a cell that came to no result
    cells/NAME/server.log         the same, of its server
    cells/NAME/corpus/            the findings of its fuzzing
"""
