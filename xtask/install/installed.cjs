// Compares what the lockfile requires on this machine with what is in node_modules.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

/**
 * `NAME@VERSION` of every package that `lock` requires here and that `top` lacks in that version. npm
 * silently leaves out optional packages that it cannot get, and packages that its settings exclude.
 */
function findMissing(top, lock) {
  const here = { os: process.platform, cpu: process.arch, libc: libcOf() };
  return Object.entries(lock.packages)
    .filter(
      ([place, it]) => place !== "" && isWanted(it, here) && versionIn(top, place) !== it.version,
    )
    .map(([place, it]) => `${place.replace(/^.*node_modules\//, "")}@${it.version}`);
}

/** Optional packages without limits belong to packages for other platforms, so they are not required. */
function isWanted(entry, here) {
  const limits = ["os", "cpu", "libc"].filter((it) => entry[it] !== undefined);
  if (entry.optional && limits.length === 0) return false;
  return limits.every((it) => isAllowed(here[it], [entry[it]].flat()));
}

function isAllowed(value, limits) {
  if (limits.includes(`!${value}`)) return false;
  return limits.includes(value) || limits.every((it) => it.startsWith("!"));
}

/** The version of the package at `place`; undefined if there is none. */
function versionIn(top, place) {
  try {
    return JSON.parse(readFileSync(join(top, place, "package.json"), "utf8")).version;
  } catch {
    // The file is missing or cut short, which means the same here.
    return undefined;
  }
}

function libcOf() {
  // Otherwise, the report looks up the names of network addresses, which takes seconds without a network.
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

module.exports = { findMissing };
