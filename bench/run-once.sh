#!/usr/bin/env bash
# Runs a command and writes to the file named first what it took: wall clock at start and end (seconds
# with microseconds), user and system seconds, and the largest resident set of a process in KiB. A small
# process does this, because starting a child from one as large as a Node takes as long as what we measure.
usage=$1
shift
TIMEFORMAT='%3U %3S'
start=$EPOCHREALTIME
{ time command time --quiet --output="$usage.peak" --format=%M "$@" 2>&3; } 3>&2 2>"$usage.cpu"
status=$?
echo "$start $EPOCHREALTIME $(<"$usage.cpu") $(<"$usage.peak")" >"$usage"
exit "$status"
