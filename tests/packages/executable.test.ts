// The executable: built twice, stripped, and started in odd environments and on another architecture.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dropSections } from "../../xtask/elf/drop-sections.ts";
import { arm64Libraries, whyNoArm64Libraries } from "./arm64-libraries.ts";

const TOP = resolve(import.meta.dirname, "../..");
const NODE = process.execPath;
const VERSION = "9.8.7~rc.6";
/** 10^6 bytes; the runtime has 116 of them, and the program is in it twice (see jitless.test.ts). */
const MEGABYTES_MAX = 123;

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
  return { status, stdout, stderr };
}

function build(args: readonly string[], top = TOP, env: NodeJS.ProcessEnv = process.env): Ran {
  return run(
    NODE,
    [join(top, "xtask/entry.ts"), "build", "--version-string", VERSION, ...args],
    env,
  );
}

function has(program: string): boolean {
  return spawnSync(program, ["--version"]).error === undefined;
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

const work = mkdtempSync(join(tmpdir(), "executable-"));
const bootc = join(work, "bootc");

beforeAll(() => {
  const { status, stderr } = build(["--out", bootc]);
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
});

afterAll(() => rmSync(work, { recursive: true }));

/** What every variant of the executable must do alike. */
const CALLS: readonly (readonly string[])[] = [
  ["--version"],
  ["--help"],
  ["status", "--help"],
  ["status", "--format", "json"],
  ["status", "--no-such-option"],
  ["no-such-verb"],
  ["internals", "print-json-schema", "--of", "host"],
];

function answers(program: string): readonly Ran[] {
  return CALLS.map((it) => run(program, it));
}

test("it is one file of the promised size that reports the version it was given", () => {
  expect(statSync(bootc).size).toBeLessThanOrEqual(MEGABYTES_MAX * 1_000_000);
  expect(statSync(bootc).mode & 0o777).toBe(0o755);
  expect(run(bootc, ["--version"])).toEqual({
    status: 0,
    stdout: `bootc ${VERSION}\n`,
    stderr: "",
  });
});

test("it needs no environment, no home and no terminal", () => {
  expect(run(bootc, ["status", "--format", "json"], {})).toMatchObject({ status: 0, stderr: "" });
});

test.for([
  { program: "strip", args: [] },
  { program: "strip", args: ["-g"] },
  { program: "strip", args: ["--strip-unneeded"] },
  // What rpm's brp-strip-comment-note does.
  { program: "strip", args: ["-p", "-R", ".comment", "-R", ".note"] },
  { program: "eu-strip", args: [] },
  { program: "llvm-strip", args: [] },
  { program: "objcopy", args: ["--strip-debug"] },
])("it survives $program $args", ({ program, args }, { skip }) => {
  if (!has(program)) skip(`no ${program}`);
  const stripped = join(work, "stripped");
  copyFileSync(bootc, stripped);
  expect(run(program, [...args, stripped])).toMatchObject({ status: 0, stderr: "" });
  expect(answers(stripped)).toEqual(answers(bootc));
  // Ends every verb where Node finds it, so the guard is still there.
  const env = { ...process.env, NODE_REPL_EXTERNAL_MODULE: "x" };
  expect(run(stripped, ["--version"], env)).toEqual(run(bootc, ["--version"]));
});

test("strip has nothing left to take", ({ skip }) => {
  if (!has("strip")) skip("no strip");
  const stripped = join(work, "stripped");
  copyFileSync(bootc, stripped);
  run("strip", [stripped]);
  expect(Math.abs(statSync(stripped).size - statSync(bootc).size)).toBeLessThan(100_000);
});

test.each([
  { what: "loads code", value: (file: string) => `--require ${file}` },
  { what: "opens a debugger", value: () => "--inspect=127.0.0.1:0" },
  { what: "is wrong", value: () => "--no-such-option" },
  { what: "changes V8, which would reject the code cache", value: () => "--no-opt" },
])("NODE_OPTIONS that $what changes nothing", ({ value }) => {
  const evil = join(work, "evil.cjs");
  writeFileSync(evil, "console.error('INJECTED')");
  const env = { ...process.env, NODE_OPTIONS: value(evil) };
  expect(run(bootc, ["status", "--format", "json"], env)).toEqual(
    run(bootc, ["status", "--format", "json"]),
  );
});

test("we refuse options of Node on the command line", () => {
  expect(run(bootc, ["--inspect", "status"])).toMatchObject({ status: 2, stdout: "" });
  expect(run(bootc, ["-e", "console.log(1)"])).toMatchObject({ status: 2, stdout: "" });
});

test("nothing of Node shows on standard error, whatever goes wrong", () => {
  for (const { stderr } of answers(bootc)) {
    expect(stderr).not.toMatch(/node|\bv8\b|warning|experimental|code cache|at .*:\d+:\d+/i);
  }
});

const SIGUSR1_BIT = 1n << 9n;

function signalSet(pid: number | undefined, name: "SigCgt" | "SigBlk" | "SigIgn"): bigint {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)`, "m").exec(text)?.[1]}`);
}

test("SIGUSR1, which opens a debugger in a plain Node, has no effect", async () => {
  const plain = spawn(NODE, ["-e", "setInterval(() => {}, 1000)"]);
  await vi.waitFor(() => expect(signalSet(plain.pid, "SigCgt") & SIGUSR1_BIT).not.toBe(0n), 10_000);
  plain.kill();
  const child = spawnWaiting();
  await vi.waitFor(() => expect(existsSync(join(work, "started"))).toBe(true), 10_000);
  expect(signalSet(child.pid, "SigCgt") & SIGUSR1_BIT).toBe(0n);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.kill("SIGUSR1");
  child.kill("SIGTERM");
  const status = await new Promise((done) => child.on("close", done));
  expect(stderr).not.toContain("Debugger");
  // Our own answer to SIGTERM, so SIGUSR1 did not end it.
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("interrupted"),
  });
});

/** The program, waiting for a skopeo and an ostree that never answer. */
function spawnWaiting() {
  const path = join(work, "path");
  mkdirSync(path, { recursive: true });
  // The files that a pull reads before it starts a program.
  const repo = join(work, "repo");
  mkdirSync(join(repo, "objects"), { recursive: true });
  writeFileSync(join(repo, "config"), "[core]\nrepo_version=1\nmode=bare-user\n");
  for (const it of ["skopeo", "ostree"]) {
    writeFileSync(join(path, it), `#!/bin/sh\n: > ${work}/started\nexec sleep 600\n`);
    chmodSync(join(path, it), 0o755);
  }
  return spawn(
    bootc,
    [
      "internals",
      "ostree-container",
      "image",
      "pull",
      repo,
      "ostree-unverified-registry:x.invalid/y",
    ],
    { env: { PATH: `${path}:${process.env.PATH}` }, stdio: ["ignore", "pipe", "pipe"] },
  );
}

test("Node's own injector makes an executable that behaves alike", () => {
  const builtin = join(work, "builtin");
  expect(build(["--engine", "builtin", "--out", builtin])).toMatchObject({ status: 0 });
  expect(answers(builtin)).toEqual(answers(bootc));
});

test("Node's own engine still makes what strip breaks", ({ skip }) => {
  if (!has("strip")) skip("no strip");
  const builtin = join(work, "builtin-stripped");
  expect(build(["--engine", "builtin", "--out", builtin])).toMatchObject({ status: 0 });
  const why = "see docs/adr/0010-own-elf-injector.md: the injector may no longer be needed";
  expect(run("strip", [builtin]), why).toMatchObject({ status: 0 });
  expect(run(builtin, ["--version"]), why).toMatchObject({ status: null, stdout: "" });
});

/** The part of a checkout that a build uses: no git, no npm, no development tools. */
function copyCheckout(to: string): void {
  for (const it of [
    "src",
    "xtask",
    "packaging",
    "package.json",
    "package-lock.json",
    "LICENSE-MIT",
  ]) {
    if (existsSync(join(TOP, it))) cpSync(join(TOP, it), join(to, it), { recursive: true });
  }
  const lock = JSON.parse(readFileSync(join(TOP, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  for (const [path, { dev, optional }] of Object.entries(lock.packages)) {
    const isNeeded = path !== "" && ((!dev && !optional) || path.endsWith("/esbuild-wasm"));
    if (isNeeded) cpSync(join(TOP, path), join(to, path), { recursive: true });
  }
}

test("the same bytes come out in another folder, without git, npm, network or PATH", () => {
  const other = join(work, "a folder whose name is longer");
  copyCheckout(other);
  const out = join(other, "target/bootc");
  // The package's runtime has no sections left to drop; this machine's has.
  const runtime = join(work, "runtime");
  mkdirSync(join(runtime, "bin"), { recursive: true });
  writeFileSync(join(runtime, "bin/node"), dropSections(readFileSync(NODE)), { mode: 0o755 });
  const args = ["--runtime", runtime, "--out", out];
  const built = build(args, other, {
    TZ: "Pacific/Auckland",
    LANG: "tr_TR.UTF-8",
    PATH: "/nowhere",
  });
  expect(built).toMatchObject({ status: 0, stdout: "target/bootc\n" });
  expect(sha256(out)).toBe(sha256(bootc));
});

describe("a failing build", () => {
  test.each([
    { what: "another Node", runtime: otherRuntime, says: /is not Node v/ },
    { what: "no Node", runtime: () => work, says: /there is no runtime/ },
    { what: "a script", runtime: scriptRuntime, says: /does not begin like one/ },
  ])("says why it cannot use $what, and leaves the old executable", ({ runtime, says }) => {
    const out = join(work, "kept");
    writeFileSync(out, "before");
    const built = build(["--runtime", runtime(), "--out", out]);
    expect(built.status).not.toBe(0);
    expect(built.stderr).toMatch(says);
    expect(built.stderr).toMatch(/^hint: /m);
    expect(built.stderr).not.toContain("defect");
    expect(readFileSync(out, "utf8")).toBe("before");
  });

  function otherRuntime(): string {
    const bytes = readFileSync(NODE);
    const version = `node.js/${process.version}`;
    bytes.write(`node.js/v${"9".repeat(process.version.length - 1)}`, bytes.indexOf(version));
    mkdirSync(join(work, "other/bin"), { recursive: true });
    writeFileSync(join(work, "other/bin/node"), bytes);
    return join(work, "other");
  }

  function scriptRuntime(): string {
    const folder = join(work, "script");
    mkdirSync(join(folder, "bin"), { recursive: true });
    writeFileSync(join(folder, "bin/node"), `#!/bin/sh\n${"#".repeat(100)}\n`);
    return folder;
  }
});

test("the arm64 executable, built here, answers under emulation", ({ skip }) => {
  if (process.arch === "arm64") skip("this is arm64");
  if (!has("qemu-aarch64-static")) skip("no qemu-aarch64-static (qemu-user-static)");
  const why = whyNoArm64Libraries();
  if (why !== undefined) skip(why);
  const arm64 = join(work, "bootc.arm64");
  expect(build(["--arch", "arm64", "--out", arm64])).toMatchObject({ status: 0 });
  const env = { ...process.env, QEMU_LD_PREFIX: arm64Libraries() };
  const emulated = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    run("qemu-aarch64-static", [arm64, ...args], { ...env, ...more });
  expect(emulated(["--version"])).toEqual({ status: 0, stdout: `bootc ${VERSION}\n`, stderr: "" });
  expect(emulated(["status", "--format", "json"])).toEqual(
    run(bootc, ["status", "--format", "json"]),
  );
  // The guard has different code for each architecture.
  for (const more of [
    { NODE_CHANNEL_FD: "abc" },
    { SIMDUTF_FORCE_IMPLEMENTATION: "nosuch" },
    { OPENSSL_CONF: arm64, UV_THREADPOOL_SIZE: "1024", NODE_REPL_EXTERNAL_MODULE: arm64 },
  ]) {
    expect(emulated(["rollback"], more)).toEqual(run(bootc, ["rollback"]));
  }
  expect(statSync(arm64).size).toBeLessThanOrEqual(MEGABYTES_MAX * 1_000_000);
});
