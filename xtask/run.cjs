// The door to xtask, in JavaScript that Node 20 runs as it is: it makes sure that the locked
// dependencies are installed, then goes on under the pinned Node, which runs TypeScript directly.
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
/** What npm itself says it installed; whatever changes the tree later changes this. */
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

/** Signals go to npm, which ends on them; only then there is nothing left to tidy up. */
async function installUninterrupted(lock) {
  let isInterrupted = false;
  const onInterrupt = () => {
    isInterrupted = true;
  };
  for (const name of FORWARDED) process.on(name, onInterrupt);
  const failure = await install(lock);
  if (isInterrupted) {
    fail("interrupted while installing the dependencies", "run it again to carry on");
  }
  for (const name of FORWARDED) process.off(name, onInterrupt);
  if (failure) fail(...failure);
}

/** The bytes that decide what is installed. */
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

/** What the stamp holds after an installation of `lock`: it ends with any change that npm makes. */
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

/** Installs; what went wrong and what to do about it, if anything. */
async function install(lock) {
  process.stderr.write("installing the locked dependencies with `npm ci`\n");
  let done = await runNpmCi();
  if (done.error && mayInstall() && installNpm()) done = await runNpmCi();
  const failure = done.error ? explainNoNpm() : done.status === 0 ? explainMissing() : NPM_FAILED;
  if (failure) return failure;
  try {
    writeFileSync(STAMP, formatStamp(lock));
  } catch (error) {
    return [`cannot write \`${STAMP}\`: ${error.message}`, "free some space, and run it again"];
  }
  return undefined;
}

const NPM_FAILED = [
  "`npm ci` failed",
  "read what npm says above; if the lockfile disagrees with package.json, run `npm install --package-lock-only`",
];

function explainNoNpm() {
  const command = npmInstaller();
  const hint = command
    ? `run \`${command.join(" ")}\` as root, or this again with --yes`
    : "install npm, which comes with Node";
  return ["`npm` is not installed", hint];
}

/** npm's status is 0 although it left something out; half a tree must not count as a whole one. */
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
    "look at npm's log for the reason, often the network, and run it again",
  ];
}

/** How npm ended: `status`, or the `error` that kept it from starting. */
async function runNpmCi() {
  return await withNpmSettings(process.env, ({ args, env }) => {
    // Our standard output carries a task's answer alone.
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
  // Commander may not be installed yet; this, too, tells options from what follows `--`.
  const { values } = parseArgs({ strict: false, options: { yes: { type: "boolean" } } });
  return values.yes === true || process.env.CI === "true";
}

/** What installs npm on this distribution; undefined where we do not know. */
function npmInstaller() {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const like = (names) => new RegExp(`^ID(_LIKE)?=.*\\b(${names})\\b`, "m").test(release);
  if (like("debian|ubuntu")) return ["apt-get", "install", "--yes", "npm"];
  return like("fedora|rhel|centos") ? ["dnf", "install", "-y", "nodejs-npm"] : undefined;
}

/** Whether npm got installed. */
function installNpm() {
  const [program, ...args] = npmInstaller() ?? [];
  if (program === undefined) return false;
  const stdio = ["ignore", 2, 2];
  // A fresh container of Debian has no package lists.
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
  // A terminal sends Ctrl-C to the child as well; waiting for it here lets it clean up.
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

main().catch((error) => fail(error.message, "correct that, and run it again"));
