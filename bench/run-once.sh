#!/usr/bin/env bash
# Runs a command and writes its cost to the file named first: wall clock at start and end (seconds with
# microseconds), user and system seconds, and the largest resident set of any process in KiB. A small
# process does this, because a process as large as Node takes as long to start a child as what we measure.
usage=$1
shift
TIMEFORMAT='%3U %3S'
start=$EPOCHREALTIME
{ time command time --quiet --output="$usage.peak" --format=%M "$@" 2>&3; } 3>&2 2>"$usage.cpu"
status=$?
echo "$start $EPOCHREALTIME $(<"$usage.cpu") $(<"$usage.peak")" >"$usage"
exit "$status"
