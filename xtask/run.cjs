// The door to xtask, in JavaScript that Node 20 runs as it is: it makes sure that the locked
// dependencies are installed, then goes on under the pinned Node, which runs TypeScript directly.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { constants } = require("node:os");
const { join, resolve } = require("node:path");

const ROOT = resolve(__dirname, "..");
const STAMP = join(ROOT, "node_modules", ".xtask-lock-sha256");
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];

async function main() {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    fail(`Node ${process.versions.node} is too old`, "install Node 20 or newer");
  }
  const lock = readLock();
  if (!isInstalled(lock)) await installUninterrupted(lock);
  runPinned(pinnedNode());
}

/** A terminal sends Ctrl-C to npm as well; without a listener it would end us before a word is said. */
async function installUninterrupted(lock) {
  let isInterrupted = false;
  const onInterrupt = () => {
    isInterrupted = true;
  };
  process.on("SIGINT", onInterrupt);
  const failure = install(lock);
  // Signals that came while npm was waited for are told now.
  await new Promise((resolve) => setImmediate(resolve));
  if (isInterrupted) {
    fail("interrupted while installing the dependencies", "run it again to carry on");
  }
  process.off("SIGINT", onInterrupt);
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

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function isInstalled(lock) {
  return (
    existsSync(STAMP) && readFileSync(STAMP, "utf8") === sha256(lock) && existsSync(pinnedNode())
  );
}

/** Installs; what went wrong and what to do about it, if anything. */
function install(lock) {
  process.stderr.write("installing the locked dependencies with `npm ci`\n");
  let done = runNpmCi();
  if (done.error && mayInstall() && installNpm()) done = runNpmCi();
  if (done.error) {
    const command = npmInstaller();
    const hint = command
      ? `run \`${command.join(" ")}\` as root, or this again with --yes`
      : "install npm, which comes with Node";
    return ["`npm` is not installed", hint];
  }
  if (done.status !== 0) {
    return [
      "`npm ci` failed",
      "read what npm says above; if the lockfile disagrees with package.json, run `npm install --package-lock-only`",
    ];
  }
  if (!existsSync(pinnedNode())) {
    return [
      `there is no pinned Node for ${process.platform} ${process.arch}`,
      "build on Linux, x64 or arm64, and do not omit optional dependencies",
    ];
  }
  try {
    writeFileSync(STAMP, sha256(lock));
  } catch (error) {
    return [`cannot write \`${STAMP}\`: ${error.message}`, "free some space, and run it again"];
  }
  return undefined;
}

function runNpmCi() {
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  // Our standard output carries a task's answer alone.
  const stdio = ["ignore", 2, 2];
  return spawnSync("npm", args, { cwd: ROOT, stdio, env: withoutOmit(process.env) });
}

function mayInstall() {
  return process.argv.includes("--yes") || process.env.CI === "true";
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

/** npm run hands its own settings down; one that leaves out what we need must not reach `npm ci`. */
function withoutOmit(env) {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !/^npm_config_(omit|only|production|optional|dry_run)$/i.test(name),
    ),
  );
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

main();
