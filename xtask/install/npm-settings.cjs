// Settings for `npm ci`: of the user's configuration, only what says where packages come from.
"use strict";
const { spawnSync } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { homedir, tmpdir } = require("node:os");
const { join } = require("node:path");

/** Settings for reaching packages. Others affect what is installed, which the lockfile decides here. */
const CARRIED = new Set([
  "registry",
  "replace-registry-host",
  "proxy",
  "https-proxy",
  "http-proxy",
  "noproxy",
  "local-address",
  "ca",
  "cafile",
  "cert",
  "key",
  "strict-ssl",
  "username",
  "email",
  "always-auth",
  "cache",
  "prefer-offline",
  "maxsockets",
  "fetch-retries",
  "fetch-retry-factor",
  "fetch-retry-mintimeout",
  "fetch-retry-maxtimeout",
  "fetch-timeout",
]);

/** Settings that decide where npm looks for the configuration of the whole machine. */
const OF_PLACE = new Set(["prefix", "globalconfig"]);

const PREFER_OFFLINE = "npm_config_prefer_offline";

/** Settings that would change the tree, as arguments, which win over files and variables. */
const FIXED = [
  "--include=dev",
  "--include=optional",
  "--include=peer",
  "--engine-strict=false",
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

/**
 * Calls `work` with the arguments and the environment for npm. Removes the files that the arguments name
 * afterwards, because they contain the user's credentials.
 */
async function withNpmSettings(env, work) {
  const folder = mkdtempSync(join(tmpdir(), "xtask-npm-"));
  try {
    const user = readIfThere(variableOf(env, "userconfig") ?? join(homedir(), ".npmrc"));
    const machine = readIfThere(machineConfig(env, user, folder));
    const files = { userconfig: user, globalconfig: machine };
    const args = Object.entries(files).map(([name, text]) => {
      writeFileSync(join(folder, name), carriedLines(text), { mode: 0o600 });
      return `--${name}=${join(folder, name)}`;
    });
    return await work({ args: [...FIXED, ...args], env: carriedEnv(env) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The path of npm's configuration for the whole machine, which only npm knows; undefined without npm. */
function machineConfig(env, user, folder) {
  const known = variableOf(env, "globalconfig");
  if (known !== undefined) return known;
  const place = join(folder, "place");
  writeFileSync(place, carriedLines(user, OF_PLACE));
  const args = ["config", "get", "globalconfig", `--userconfig=${place}`, "--loglevel=error"];
  const asked = spawnSync("npm", args, {
    cwd: folder,
    stdio: ["ignore", "pipe", 2],
    encoding: "utf8",
    env: carriedEnv(env, OF_PLACE),
  });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

/** The value of npm's setting `name` in the environment, in which names may be in capitals. */
function variableOf(env, name) {
  const found = Object.keys(env).find((it) => it.toLowerCase() === `npm_config_${name}`);
  return (found && env[found]) || undefined;
}

function readIfThere(path) {
  if (path === undefined) return "";
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  }
}

/** The environment without npm's other settings, and without NODE_ENV, which npm reads as `omit=dev`. */
function carriedEnv(env, names = CARRIED) {
  const entries = Object.entries(env).flatMap(([name, value]) => {
    const setting = /^npm_config_(.*)$/i.exec(name)?.[1];
    if (setting === undefined) return name === "NODE_ENV" ? [] : [[name, value]];
    const key = carriedKey(setting.startsWith("//") ? setting : dashed(setting), names);
    return key === undefined ? [] : [[isOffline(setting) ? PREFER_OFFLINE : name, value]];
  });
  return Object.fromEntries(entries);
}

/** Reads a variable's name like npm, which keeps a leading underscore: `_auth`. */
function dashed(setting) {
  return setting.replace(/(?!^)_/g, "-").toLowerCase();
}

/** The lines to keep of an npmrc. npm has no settings below the head of a section. */
function carriedLines(text, names = CARRIED) {
  const kept = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    if (/^\s*\[/.test(line)) break;
    const [, name, rest] = /^\s*([^=\s]+?)((?:\[\])?\s*(?:=.*)?)$/.exec(line) ?? [];
    const key =
      name === undefined ? undefined : carriedKey(name.replace(/^["']|["']$/g, ""), names);
    if (key !== undefined) kept.push(`${key}${rest}\n`);
  }
  return kept.join("");
}

/** The setting as which `key` is kept; undefined if it is not. */
function carriedKey(key, names) {
  // Credentials, with or without a registry, and the registry of a scope.
  if (names === CARRIED && /^\/\/|^@[^:]+:registry$|^_/.test(key)) return key;
  if (isOffline(key) && names === CARRIED) return "prefer-offline";
  return names.has(key) ? key : undefined;
}

/** Kept in a weaker form: npm prefers its cache, and fetches what is not in it. */
function isOffline(key) {
  return key.toLowerCase() === "offline";
}

module.exports = { withNpmSettings };
