// The executable where the system forbids executable memory, without which V8's compiler cannot work.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { makeBlob, SEA_CONFIG, withoutCompiler } from "../../xtask/build/blob.ts";
import { readRuntime } from "../../xtask/build/used-runtime.ts";
import { injectBlob } from "../../xtask/elf/inject.ts";
import type { Architecture } from "../../xtask/runtime/locked.ts";
import { arm64Libraries, whyNoArm64Libraries } from "./arm64-libraries.ts";

const TOP = resolve(import.meta.dirname, "../..");
const TREE = { ctx: createContext({ env: process.env }), top: TOP, mayInstall: false };
const HERE = process.arch === "arm64" ? "arm64" : "x64";

const work = mkdtempSync(join(tmpdir(), "jitless-"));
afterAll(() => rmSync(work, { recursive: true }));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[], env: NodeJS.ProcessEnv = process.env): Ran {
  const [program = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
  return { status, stdout, stderr };
}

/**
 * Starts a command that may have no memory that is writable and executable at once (Linux 6.3): by
 * prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), as systemd's `MemoryDenyWriteExecute=` does.
 */
function forbidden(command: readonly string[]): readonly string[] {
  const number = { x64: 157, arm64: 167 }[HERE];
  return [
    "perl",
    "-e",
    `syscall(${number}, 65, 1, 0, 0, 0) == 0 or exit 99; exec @ARGV`,
    ...command,
  ];
}

function whyNotForbidden(): string | undefined {
  const { status } = run(forbidden(["true"]));
  if (status === null) return "no perl";
  return status === 0 ? undefined : "the kernel has no PR_SET_MDWE";
}

function whyNoBuilds(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  return run(["buildah", "--version"]).status === 0 ? undefined : "no buildah";
}

/** The output of a command that must succeed. */
function succeed(command: readonly string[]): string {
  const { status, stdout, stderr } = run(command);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

/** An executable whose blobs print `first` and `second`. */
async function buildChoice(architecture: Architecture): Promise<string> {
  const folder = mkdtempSync(join(work, "build-"));
  const { stripped, generator: node } = await readRuntime(TREE, architecture, undefined);
  const config = { ...SEA_CONFIG, useCodeCache: architecture === process.arch };
  const blobOf = async (text: string, itsConfig: typeof config) => {
    writeFileSync(join(folder, "bootc.cjs"), `console.log("${text}", new Function("return 1")());`);
    return readFileSync(await makeBlob(TREE, { node, folder, config: itsConfig, output: text }));
  };
  const first = await blobOf("first", config);
  const second = await blobOf("second", withoutCompiler(config));
  const path = join(folder, "program");
  writeFileSync(path, injectBlob(stripped, first, second), { mode: 0o755 });
  return path;
}

describe("where executable memory is forbidden", () => {
  const bootc = join(work, "bootc");
  beforeAll(() => {
    const entry = join(TOP, "xtask/entry.ts");
    const built = run([process.execPath, entry, "build", "--version-string", "1", "--out", bootc]);
    expect(built).toMatchObject({ status: 0 });
  });

  test("Node itself dies while it starts, so the restriction is real", ({ skip }) => {
    const why = whyNotForbidden();
    if (why !== undefined) skip(why);
    expect(run(forbidden([process.execPath, "--eval", "1"])).status).not.toBe(0);
  });

  test.for([
    [["--version"]],
    [["--help"]],
    [["status", "--format", "json"]],
    [["status", "--no-such-option"]],
    [["rollback"]],
    [["internals", "print-json-schema", "--of", "host"]],
  ])("bootc %s answers as elsewhere", ([args = []], { skip }) => {
    const why = whyNotForbidden();
    if (why !== undefined) skip(why);
    expect(run(forbidden([bootc, ...args]))).toEqual(run([bootc, ...args]));
  });

  test("so it does in a user namespace, as builds without root have", ({ skip }) => {
    const why = whyNotForbidden();
    if (why !== undefined) skip(why);
    const unshare = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"];
    const inside = (command: readonly string[]) => run([...unshare, "--mount-proc", ...command]);
    if (inside(["true"]).status !== 0) skip("no user namespaces");
    const root = mkdtempSync(join(work, "root-"));
    const lint = [bootc, "container", "lint", "--rootfs", root];
    const { status, stdout } = inside(forbidden(lint));
    // An empty directory is not a good image.
    expect(status).toBe(1);
    expect(stdout).toContain("Failed lint: baseimage-root: Missing /sysroot");
  });

  test("and in a RUN of an image build", ({ skip }) => {
    const why = whyNotForbidden() ?? whyNoBuilds();
    if (why !== undefined) skip(why);
    const container = succeed(["buildah", "from", "scratch"]);
    try {
      const root = succeed(["buildah", "mount", container]);
      for (const name of ["lib", "lib64", "bin"]) symlinkSync(`usr/${name}`, join(root, name));
      const buildahRun = [
        ...["buildah", "run", "--isolation", "chroot", "--volume", "/usr:/usr:ro"],
        ...["--volume", `${bootc}:/bootc:ro`, "--volume", `${process.execPath}:/node:ro`],
        ...[container, "--"],
      ];
      const inside = (...command: readonly string[]) => run(forbidden([...buildahRun, ...command]));
      expect(inside("/node", "--eval", "1").status).not.toBe(0);
      expect(inside("/bootc", "--version")).toEqual(run([bootc, "--version"]));
      const { status, stdout } = inside("/bootc", "container", "lint");
      expect(status).toBe(1);
      expect(stdout).toContain("Failed lint: baseimage-root: Missing /sysroot");
    } finally {
      run(["buildah", "rm", container]);
    }
  });

  test("the second blob is taken there, and only there", async ({ skip }) => {
    const why = whyNotForbidden();
    if (why !== undefined) skip(why);
    const program = await buildChoice(HERE);
    expect(run([program])).toEqual({ status: 0, stdout: "first 1\n", stderr: "" });
    expect(run(forbidden([program]))).toEqual({ status: 0, stdout: "second 1\n", stderr: "" });
  });
});

/**
 * Emulation maps memory for the program as it likes, so nothing is forbidden there. The guard's request for a
 * page becomes one for no bytes, which the kernel refuses as well.
 */
test("the guard chooses on arm64, under emulation", async ({ skip }) => {
  if (process.arch === "arm64") skip("this is arm64");
  if (run(["qemu-aarch64-static", "--version"]).status !== 0) skip("no qemu-aarch64-static");
  const why = whyNoArm64Libraries();
  if (why !== undefined) skip(why);
  const program = await buildChoice("arm64");
  const env = { ...process.env, QEMU_LD_PREFIX: arm64Libraries() };
  const answer = () => run(["qemu-aarch64-static", program], env);
  expect(answer()).toEqual({ status: 0, stdout: "first 1\n", stderr: "" });
  const bytes = readFileSync(program);
  const [onePage, nothing, rights] = ["01008252", "01008052", "e2008052"];
  const at = bytes.indexOf(Buffer.from(`${onePage}${rights}`, "hex"));
  expect(at).toBeGreaterThan(0);
  bytes.write(nothing, at, "hex");
  writeFileSync(program, bytes);
  expect(answer()).toEqual({ status: 0, stdout: "second 1\n", stderr: "" });
});
