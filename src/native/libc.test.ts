import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { BootcError, errnoOf } from "../errors.ts";
import { LIBC_CHECKS } from "../testing/libc-checks.ts";
import { type Libc, openLibc } from "./libc.ts";
import { openFileLabels } from "./selabel.ts";

const PROGRAM = resolve(import.meta.dirname, "../testing/libc-program.ts");

function openedLibc(): Libc {
  const libc = openLibc();
  if (libc === undefined) throw new Error("the door is shut");
  return libc;
}

/** Runs another Node, since a mistake here may kill the process. */
function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
  });
  return { status, signal, stdout, stderr };
}

function makeDirectory(parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, "libc-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

// The two differ in the attributes they hold, and in how large they may be.
describe.each([tmpdir(), "/dev/shm"])("in %s", (parent) => {
  let dir = "";
  beforeEach(() => {
    if (existsSync(parent)) dir = mkdtempSync(join(parent, "libc-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test.for(LIBC_CHECKS)("$name", ({ check, needsRoot }, { skip }) => {
    if (!existsSync(parent)) skip(`no ${parent}`);
    if (needsRoot && process.getuid?.() !== 0) skip("not root");
    if (!hasAttributes(dir)) skip(`no user attributes in ${parent} before Linux 6.6`);
    check(openedLibc(), dir);
  });
});

function hasAttributes(dir: string): boolean {
  try {
    openedLibc().getXattr(dir, "user.probe");
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOTSUP") return false;
    throw error;
  }
}

test("senseless calls end in an error, never in a signal", () => {
  const { status, signal, stdout, stderr } = runNode([PROGRAM, makeDirectory()]);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: "" });
  const { failed, nonsense } = JSON.parse(stdout);
  if (process.getuid?.() === 0) expect(failed).toEqual({});
  expect(nonsense.calls).toBeGreaterThan(10_000);
  expect(nonsense.failures).toBe(nonsense.calls);
});

test("the door is silently shut in a Node without FFI", () => {
  const shut = { status: 0, signal: null, stdout: '"shut"\n', stderr: "" };
  expect(runNode(["--no-experimental-ffi", PROGRAM, "/nonexistent"])).toEqual(shut);
  const permissions = ["--permission", "--allow-fs-read=*"];
  expect(runNode([...permissions, PROGRAM, "/nonexistent"])).toEqual(shut);
  expect(runNode([PROGRAM, "/nonexistent"], { BOOTC_WITHOUT_FFI: "1" })).toEqual(shut);
});

test("a test can shut the door and open it again", () => {
  expect(openLibc()).toBeDefined();
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("BOOTC_WITHOUT_FFI", "1");
  expect(openLibc()).toBeUndefined();
  expect(openFileLabels("/nonexistent")).toBeUndefined();
  vi.unstubAllEnvs();
  expect(openLibc()).toBeDefined();
});

test("nothing is loaded before the first call, and garbage collection leaves the library", () => {
  const script = `
    import { openLibc } from ${JSON.stringify(join(import.meta.dirname, "libc.ts"))};
    const isLoaded = () => process.moduleLoadList.some((it) => /\\bffi$/.test(it));
    const before = isLoaded();
    const libc = openLibc();
    for (let i = 0; i < 100; i++) gc();
    console.log(before, isLoaded(), libc === openLibc(), libc.listXattrs("/proc/self").length);
    process.emitWarning("other warnings are shown");
  `;
  const { stdout, stderr } = runNode(["--expose-gc", "--input-type=module", "--eval", script]);
  expect(stdout).toBe("false true true 0\n");
  expect(stderr).toMatch(/^\(node:\d+\) Warning: other warnings are shown\n/);
});

test("a worker thread reads its own errno", async () => {
  const dir = makeDirectory();
  const worker = new Worker(PROGRAM, { argv: [dir], stdout: true, stderr: true });
  const ended = new Promise((end, fail) => worker.on("exit", end).on("error", fail));
  const [stdout, stderr] = await Promise.all([
    worker.stdout.toArray(),
    worker.stderr.toArray(),
    ended,
  ]);
  expect(Buffer.concat(stderr).toString()).toBe("");
  const { failed } = JSON.parse(Buffer.concat(stdout).toString());
  if (process.getuid?.() === 0) expect(failed).toEqual({});
});

test.each([
  { what: "an empty name", call: (it: Libc) => it.getXattr("/", ""), says: "`''` is not the name" },
  { what: "a NUL byte", call: (it: Libc) => it.listXattrs("/a\0b"), says: "is not a path" },
  { what: "a half character", call: (it: Libc) => it.listXattrs("/\ud800"), says: "is not a path" },
  {
    what: "a negative descriptor",
    call: (it: Libc) => it.unlock(-1),
    says: "`-1` is not the desc",
  },
  {
    what: "half a descriptor",
    call: (it: Libc) => it.tryFlock(1.5),
    says: "`1.5` is not the desc",
  },
])("$what is refused by name", ({ call, says }) => {
  expect(() => call(openedLibc())).toThrow(BootcError);
  expect(() => call(openedLibc())).toThrow(says);
});
