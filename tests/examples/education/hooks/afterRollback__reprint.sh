#!/bin/sh
# Transcripts that were printed meanwhile may be wrong: leaves a mark for whoever prints them.
cat > /dev/null
echo "print again" >> reprint.txt
