#!/bin/sh
# Baseline of the merge stage: checks out all layers with union and whiteouts, then commits the directory.
#
#   checkout-merge.sh REPO LAYER_COMMIT...
set -eu
repo=$1
shift
work=$(mktemp -d "$repo/tmp/merge-XXXXXX")
trap 'rm -rf "$work"' EXIT
for layer; do
  ostree checkout --repo="$repo" --union --whiteouts -H "$layer" "$work/root"
done
ostree commit --repo="$repo" --orphan --no-bindings --link-checkout-speedup --tree=dir="$work/root"
