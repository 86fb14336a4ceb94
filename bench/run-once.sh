#!/usr/bin/env bash
# Runs a command and writes its cost to the file named first: wall clock at start and end (seconds with
# microseconds), user and system seconds, bytes written to files, and the largest resident set of any process
# in KiB. A small process does this, because a process as large as Node takes as long to start a child as what
# we measure.
usage=$1
shift

# The kernel adds the counts of children that were waited for to those of this shell.
count_written() {
  local name value bytes=0
  while read -r name value; do
    case $name in
      write_bytes:) bytes=$((bytes + value)) ;;
      cancelled_write_bytes:) bytes=$((bytes - value)) ;;
    esac
  done <"/proc/$$/io"
  written=$bytes
}

count_written
before=$written
TIMEFORMAT='%3U %3S'
start=$EPOCHREALTIME
{ time command time --quiet --output="$usage.peak" --format=%M "$@" 2>&3; } 3>&2 2>"$usage.cpu"
status=$?
end=$EPOCHREALTIME
count_written
echo "$start $end $(<"$usage.cpu") $((written - before)) $(<"$usage.peak")" >"$usage"
exit "$status"
