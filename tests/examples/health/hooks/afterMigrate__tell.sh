#!/bin/sh
# Adds what happened to a file, one line of JSON for each run, for whatever collects lines.
# Programs run in the folder that holds the one of hooks, in which only hooks may be.
{
    cat
    echo
} >> migrations.log
