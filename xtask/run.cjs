// The entry to xtask, in JavaScript that Node 20 can run: makes sure that the locked dependencies are
// installed, then continues under the pinned Node, which runs TypeScript directly.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { constants } = require("node:os");
const { join, resolve } = require("node:path");
const { parseArgs } = require("node:util");
const { findMissing } = require("./install/installed.cjs");
const { withNpmSettings } = require("./install/npm-settings.cjs");

const ROOT = resolve(__dirname, "..");
const STAMP = join(ROOT, "node_modules", ".xtask-lock-sha256");
/** npm's own record of what it installed; every later change of the tree changes it. */
const NPM_STAMP = join(ROOT, "node_modules", ".package-lock.json");
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];

async function main() {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    fail(`Node ${process.versions.node} is too old`, "install Node 20 or newer");
  }
  const lock = readLock();
  if (!isInstalled(lock)) await installUninterrupted(lock);
  runPinned(pinnedNode());
}

/** Signals go to npm, which ends on them. Only after that can we remove everything and end. */
async function installUninterrupted(lock) {
  let isInterrupted = false;
  const onInterrupt = () => {
    isInterrupted = true;
  };
  for (const name of FORWARDED) process.on(name, onInterrupt);
  const failure = await install(lock);
  if (isInterrupted) {
    fail("interrupted while installing the dependencies", "run it again to continue");
  }
  for (const name of FORWARDED) process.off(name, onInterrupt);
  if (failure) fail(...failure);
}

/** The content of the files that decide what is installed. */
function readLock() {
  try {
    return Buffer.concat(
      ["package.json", "package-lock.json"].map((it) => readFileSync(join(ROOT, it))),
    );
  } catch (error) {
    fail(
      `cannot read the lockfile: ${error.message}`,
      "restore it with `git checkout package-lock.json`",
    );
  }
}

/** The content of the stamp after an installation of `lock`; any later change by npm makes it invalid. */
function formatStamp(lock) {
  const installed = existsSync(NPM_STAMP) ? readFileSync(NPM_STAMP) : "";
  return createHash("sha256").update(lock).update(installed).digest("hex");
}

function isInstalled(lock) {
  return (
    existsSync(STAMP) &&
    readFileSync(STAMP, "utf8") === formatStamp(lock) &&
    existsSync(pinnedNode())
  );
}

/** Installs; returns the message and the hint of a failure, or undefined. */
async function install(lock) {
  process.stderr.write("installing the locked dependencies with `npm ci`\n");
  let done = await runNpmCi();
  if (done.error && mayInstall() && installNpm()) done = await runNpmCi();
  const failure = done.error ? explainNoNpm() : done.status === 0 ? explainMissing() : NPM_FAILED;
  if (failure) return failure;
  try {
    writeFileSync(STAMP, formatStamp(lock));
  } catch (error) {
    return [`cannot write \`${STAMP}\`: ${error.message}`, "free some space, then run this again"];
  }
  return undefined;
}

const NPM_FAILED = [
  "`npm ci` failed",
  "see npm's output above; if the lockfile disagrees with package.json, run `npm install --package-lock-only`",
];

function explainNoNpm() {
  const command = npmInstaller();
  const hint = command
    ? `run \`${command.join(" ")}\` as root, or run this again with --yes`
    : "install npm, which comes with Node";
  return ["`npm` is not installed", hint];
}

/** npm ends with status 0 even if it left something out, and half a tree must not count as a whole one. */
function explainMissing() {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const missing = findMissing(ROOT, lock).map((it) => `\`${it}\``);
  if (missing.length === 0 && existsSync(pinnedNode())) return undefined;
  if (missing.length === 0) {
    return [
      `there is no pinned Node for ${process.platform} ${process.arch}`,
      "build on Linux, x64 or arm64",
    ];
  }
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
  return [
    `\`npm ci\` left out ${missing.slice(0, 3).join(", ")}${more}`,
    "look for the reason in npm's log (it is often the network), then run this again",
  ];
}

/** npm's result: its `status`, or the `error` that kept it from starting. */
async function runNpmCi() {
  return await withNpmSettings(process.env, ({ args, env }) => {
    // Our standard output carries only a task's answer.
    const child = spawn("npm", ["ci", ...args], { cwd: ROOT, stdio: ["ignore", 2, 2], env });
    const forward = (name) => child.kill(name);
    for (const name of FORWARDED) process.on(name, forward);
    return new Promise((resolve) => {
      child.on("error", (error) => resolve({ error }));
      child.on("exit", (status) => resolve({ status }));
    }).finally(() => {
      for (const name of FORWARDED) process.off(name, forward);
    });
  });
}

function mayInstall() {
  // Commander may not be installed yet. parseArgs also ignores what follows `--`.
  const { values } = parseArgs({ strict: false, options: { yes: { type: "boolean" } } });
  return values.yes === true || process.env.CI === "true";
}

/** The command that installs npm on this distribution; undefined if we do not know it. */
function npmInstaller() {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const like = (names) => new RegExp(`^ID(_LIKE)?=.*\\b(${names})\\b`, "m").test(release);
  if (like("debian|ubuntu")) return ["apt-get", "install", "--yes", "npm"];
  return like("fedora|rhel|centos") ? ["dnf", "install", "-y", "nodejs-npm"] : undefined;
}

/** Tries to install npm; returns whether that succeeded. */
function installNpm() {
  const [program, ...args] = npmInstaller() ?? [];
  if (program === undefined) return false;
  const stdio = ["ignore", 2, 2];
  // A fresh Debian container has no package lists.
  if (program === "apt-get") spawnSync(program, ["update", "--quiet"], { stdio });
  return spawnSync(program, args, { stdio }).status === 0;
}

function pinnedNode() {
  return join(ROOT, "node_modules", `node-linux-${process.arch}`, "bin", "node");
}

function runPinned(node) {
  const child = spawn(node, [join(ROOT, "xtask", "entry.ts"), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // A terminal also sends Ctrl-C to the child. We wait for it, so that it can clean up.
  for (const name of FORWARDED) process.on(name, () => child.kill(name));
  child.on("error", (error) =>
    fail(`cannot start the pinned Node: ${error.message}`, "remove node_modules and try again"),
  );
  child.on("exit", (status, signal) => {
    process.exit(signal ? 128 + constants.signals[signal] : status);
  });
}

function fail(message, hint) {
  process.stderr.write(`error: ${message}\nhint: ${hint}\n`);
  process.exit(1);
}

main().catch((error) => fail(error.message, "correct that, then run this again"));
