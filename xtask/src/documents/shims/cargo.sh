#!/usr/bin/env bash
# Stands for `cargo` while a document's commands are run.
set -euo pipefail
not_run() { printf '%s\t%s\n' "cargo $*" "$reason" >>"$DOCUMENTS_NOT_RUN"; }
case "${1-} ${2-}" in
"xtask experiment")
  shift 2
  if [[ " $* " == *" --help "* ]]; then exec lnn experiment "$@"; fi
  for option in --trial --quiet; do
    if [[ " $* " != *" $option "* ]]; then set -- "$@" "$option"; fi
  done
  lnn experiment "$@"
  # Later commands of the document expect the folder of the whole run.
  for folder in runs/*/*-trial-*; do
    whole=${folder/-trial-/-}
    if [ -d "$folder" ]; then rm -rf "$whole" && mv "$folder" "$whole"; fi
  done
  ;;
"xtask test" | "xtask tidy") reason="it is running just now" && not_run "$@" ;;
"xtask bench") reason="each benchmark runs once in a part of its own" && not_run "$@" ;;
"run --example")
  [ -f "$DOCUMENTS_ROOT/examples/${3-}.rs" ] || { echo "there is no examples/${3-}.rs" >&2 && exit 1; }
  reason="each example runs in a part of its own" && not_run "$@"
  ;;
"install --path")
  [ -f "$DOCUMENTS_ROOT/${3-}/Cargo.toml" ] || { echo "there is no package in ${3-}" >&2 && exit 1; }
  reason="it installs into the user's home; the same program has just been built" && not_run "$@"
  ;;
*)
  echo "xtask/src/documents/shims/cargo.sh has no rule for \`cargo $*\`" >&2
  exit 1
  ;;
esac
