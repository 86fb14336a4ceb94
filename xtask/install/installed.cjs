// What the lockfile says this machine must have, held against what is in node_modules.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

/**
 * `NAME@VERSION` of every package that `lock` wants here and `top` has not in that version. npm leaves out
 * without a word what is optional and could not be had, and so do its own settings.
 */
function findMissing(top, lock) {
  const here = { os: process.platform, cpu: process.arch, libc: libcOf() };
  return Object.entries(lock.packages)
    .filter(
      ([place, it]) => place !== "" && isWanted(it, here) && versionIn(top, place) !== it.version,
    )
    .map(([place, it]) => `${place.replace(/^.*node_modules\//, "")}@${it.version}`);
}

/** An optional package without limits belongs to one that runs elsewhere: those for here are named. */
function isWanted(entry, here) {
  const limits = ["os", "cpu", "libc"].filter((it) => entry[it] !== undefined);
  if (entry.optional && limits.length === 0) return false;
  return limits.every((it) => isAllowed(here[it], [entry[it]].flat()));
}

function isAllowed(value, limits) {
  if (limits.includes(`!${value}`)) return false;
  return limits.includes(value) || limits.every((it) => it.startsWith("!"));
}

/** The version of the package that lies at `place`; undefined when none does. */
function versionIn(top, place) {
  try {
    return JSON.parse(readFileSync(join(top, place, "package.json"), "utf8")).version;
  } catch {
    // Missing or cut short: both want the same answer.
    return undefined;
  }
}

function libcOf() {
  // Otherwise the report looks up names of network addresses, which takes seconds without a network.
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

module.exports = { findMissing };
