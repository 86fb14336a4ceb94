import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { enterPrivateMounts, progressDescriptorOf } from "./private-mounts.ts";

const HOST = "mnt:[4026531841]";
const OWN = "mnt:[4026532999]";
const BECOME = new Error("the process would have become another program");

let root: string;
/** What this process is replaced by; it goes on here, unlike one that execve(2) has replaced. */
const execve = vi.spyOn(process, "execve" as never) as unknown as ReturnType<typeof vi.fn>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-mounts-"));
  execve.mockReset().mockImplementation(() => {
    throw BECOME;
  });
});
afterEach(() => rmSync(root, { recursive: true }));

function enter(namespace: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const [process, target] of Object.entries({ self: namespace, "1": HOST })) {
    mkdirSync(join(root, "proc", process, "ns"), { recursive: true });
    symlinkSync(target, join(root, "proc", process, "ns/mnt"));
  }
  const { ctx } = scriptedContext(root, [], { env });
  return enterPrivateMounts(ctx, { progressDescriptor: undefined });
}

test("in a namespace of our own the process stays as it is", async () => {
  await enter(OWN, { _ostree_unshared: "1" });
  expect(execve).not.toHaveBeenCalled();
});

test("in the host's it becomes unshare, which starts the same words with a mark", async () => {
  await expect(enter(HOST, { A: "b" })).rejects.toBe(BECOME);
  const [path, words, env] = execve.mock.calls[0] ?? [];
  expect(path).toMatch(/^\/(usr\/)?bin\/unshare$/);
  expect(words.slice(0, 3)).toEqual(["unshare", "-m", "--"]);
  expect(words.slice(-process.argv.length + 1)).toEqual(process.argv.slice(1));
  expect(env).toEqual({ A: "b", _ostree_unshared: "1" });
});

test("marked, and still in the host's, it gives up instead of starting for ever", async () => {
  await expect(enter(HOST, { _ostree_unshared: "1" })).rejects.toThrow(
    "Failed to unshare mount namespace",
  );
  expect(execve).not.toHaveBeenCalled();
});

test.each([
  [undefined, {}, undefined],
  [undefined, { _bootc_progress_on_stdin: "1" }, undefined],
  [5, {}, 5],
  [5, { _bootc_progress_on_stdin: "1" }, 0],
])("progress asked for on %s with %o goes to %s", (asked, env, want) => {
  expect(progressDescriptorOf({ env }, asked)).toBe(want);
});
