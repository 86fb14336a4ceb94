// The C library calls outside this Node: in a single executable, and on arm64.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { makeBlob, SEA_CONFIG } from "../../xtask/build/blob.ts";
import { bundle } from "../../xtask/build/bundle.ts";
import { readRuntime } from "../../xtask/build/used-runtime.ts";
import { injectBlob } from "../../xtask/elf/inject.ts";
import type { Architecture } from "../../xtask/runtime/locked.ts";
import { arm64Libraries, whyNoArm64Libraries } from "./arm64-libraries.ts";

const TOP = resolve(import.meta.dirname, "../..");
const PROGRAM = "src/testing/libc-program.ts";
const TREE = { ctx: createContext({ env: process.env }), top: TOP, mayInstall: false };

const isRoot = process.getuid?.() === 0;
const work = mkdtempSync(join(tmpdir(), "libc-"));
afterAll(() => rmSync(work, { recursive: true }));

/** Two rules, and none for other paths. */
const policy = join(work, "policy");
beforeAll(() => {
  const files = join(policy, "contexts/files");
  mkdirSync(files, { recursive: true });
  const rules = ["/\t-d\tsystem_u:object_r:root_t:s0", "/etc(/.*)?\tsystem_u:object_r:etc_t:s0"];
  writeFileSync(join(files, "file_contexts"), `${rules.join("\n")}\n`);
});

interface Report {
  readonly failed: Readonly<Record<string, string>>;
  readonly nonsense: { readonly calls: number; readonly failures: number };
  readonly labels: string;
}

/** The report of the program of checks, started by `argv`. Nothing may reach standard error. */
function report(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Report | "shut" {
  const [program = "", ...args] = argv;
  const dir = mkdtempSync(join(work, "checks-"));
  const { status, signal, stdout, stderr } = spawnSync(program, [...args, dir, policy], {
    encoding: "utf8",
    cwd: TOP,
    env: { PATH: process.env.PATH, ...env },
  });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: "" });
  return JSON.parse(stdout);
}

function expectAll(found: Report | "shut"): void {
  if (found === "shut") throw new Error("the door is shut");
  if (isRoot) expect(found.failed).toEqual({});
  expect(found.nonsense.calls).toBeGreaterThan(10_000);
  expect(found.nonsense.failures).toBe(found.nonsense.calls);
  expect(found.labels).toBe("system_u:object_r:etc_t:s0");
}

async function writeRuntime(architecture: Architecture): Promise<string> {
  const { stripped } = await readRuntime(TREE, architecture, undefined);
  const path = join(work, `node.${architecture}`);
  writeFileSync(path, stripped);
  chmodSync(path, 0o755);
  return path;
}

/** The program of checks, built into an executable like bootc. */
async function buildProgram(architecture: Architecture): Promise<string> {
  const folder = mkdtempSync(join(work, "build-"));
  await bundle(TREE, { version: "0", folder, entry: PROGRAM });
  const { stripped, generator } = await readRuntime(TREE, architecture, undefined);
  const config = { ...SEA_CONFIG, useCodeCache: architecture === process.arch };
  const blob = await makeBlob(TREE, { node: generator, folder, config });
  const path = join(folder, "program");
  writeFileSync(path, injectBlob(stripped, readFileSync(blob)));
  chmodSync(path, 0o755);
  return path;
}

describe("in an executable", () => {
  let program = "";
  beforeAll(async () => {
    program = await buildProgram(process.arch === "arm64" ? "arm64" : "x64");
  });

  test("all calls work, without a warning", () => {
    const found = report([program]);
    expectAll(found);
  });

  test("a variable shuts the door, and none opens it", () => {
    expect(report([program], { BOOTC_WITHOUT_FFI: "1" })).toBe("shut");
    const opening = { NODE_OPTIONS: "--experimental-ffi", BOOTC_WITHOUT_FFI: "0" };
    expect(report([program], opening)).toBe("shut");
  });
});

describe("on arm64, under emulation", () => {
  function whyNot(): string | undefined {
    if (process.arch === "arm64") return "this is arm64";
    const hasQemu = spawnSync("qemu-aarch64-static", ["--version"]).error === undefined;
    return hasQemu ? whyNoArm64Libraries() : "no qemu-aarch64-static (qemu-user-static)";
  }

  test.for([
    { what: "the runtime", make: async () => [await writeRuntime("arm64"), join(TOP, PROGRAM)] },
    { what: "an executable", make: async () => [await buildProgram("arm64")] },
  ])("all calls work in $what", async ({ make }, { skip }) => {
    const why = whyNot();
    if (why !== undefined) skip(why);
    const found = report(["qemu-aarch64-static", ...(await make())], {
      QEMU_LD_PREFIX: arm64Libraries(),
    });
    expectAll(found);
  });
});
