// npm as `npm ci` needs it: of the user's configuration, what says where packages come from, and no more.
"use strict";
const { spawnSync } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { homedir, tmpdir } = require("node:os");
const { join } = require("node:path");

/** How packages are reached. Everything else decides what is installed, which the lockfile does here. */
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

/** What decides where npm looks for the file of the whole machine. */
const OF_PLACE = new Set(["prefix", "globalconfig"]);

const PREFER_OFFLINE = "npm_config_prefer_offline";

/** Settings that would change the tree, set where no file and no variable comes before. */
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
 * Runs `work` with what npm has to be started with: arguments, and the environment. The files among the
 * arguments are gone afterwards, because they hold the user's credentials.
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

/** The path of npm's file for the whole machine, which npm alone can tell; undefined without npm. */
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

/** The value of npm's setting `name` in the environment; names may be in capitals. */
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

/** Without npm's other settings, and without the variable that npm takes for `omit=dev`. */
function carriedEnv(env, names = CARRIED) {
  const entries = Object.entries(env).flatMap(([name, value]) => {
    const setting = /^npm_config_(.*)$/i.exec(name)?.[1];
    if (setting === undefined) return name === "NODE_ENV" ? [] : [[name, value]];
    const key = carriedKey(setting.startsWith("//") ? setting : dashed(setting), names);
    return key === undefined ? [] : [[isOffline(setting) ? PREFER_OFFLINE : name, value]];
  });
  return Object.fromEntries(entries);
}

/** As npm reads a variable's name; a leading underscore belongs to it: `_auth`. */
function dashed(setting) {
  return setting.replace(/(?!^)_/g, "-").toLowerCase();
}

/** The lines of an npmrc that are carried. Below the head of a section npm has no settings. */
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

/** The setting that `key` goes on as; undefined when it does not. */
function carriedKey(key, names) {
  // Credentials, by registry or for the only one, and the registry of a scope.
  if (names === CARRIED && /^\/\/|^@[^:]+:registry$|^_/.test(key)) return key;
  if (isOffline(key) && names === CARRIED) return "prefer-offline";
  return names.has(key) ? key : undefined;
}

/** Carried in a weaker form: what is in npm's cache is taken from there, and only what is not is fetched. */
function isOffline(key) {
  return key.toLowerCase() === "offline";
}

module.exports = { withNpmSettings };
