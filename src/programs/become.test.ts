import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { becomeOnHost } from "./become.ts";

const BECOME = new Error("the process would have become another program");

let root: string;
const execve = vi.spyOn(process, "execve" as never) as unknown as ReturnType<typeof vi.fn>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-host-ns-"));
  execve.mockReset().mockImplementation(() => {
    throw BECOME;
  });
});
afterEach(() => rmSync(root, { recursive: true }));

test.each([
  { what: "a system", dirs: ["usr", "root/usr"], top: "/proc/1/root" },
  { what: "an installer", dirs: ["root/usr"], top: "/proc/1/root/root" },
  { what: "nothing known", dirs: [], top: "/proc/1/root" },
])("where process 1 has $what, the command starts in $top", async ({ dirs, top }) => {
  for (const it of dirs) mkdirSync(join(root, "proc/1/root", it), { recursive: true });
  const { ctx } = scriptedContext(root, [], { env: { A: "b" } });
  await expect(becomeOnHost(ctx, ["ls", "--verbose", "a b"])).rejects.toBe(BECOME);
  const [path, words, env] = execve.mock.calls[0] ?? [];
  expect(path).toMatch(/^\/(usr\/)?bin\/env$/);
  expect(words).toEqual([
    ...[
      "env",
      "--default-signal=PIPE,XFSZ",
      expect.stringMatching(/\/nsenter$/),
      "--target=1",
      "--mount",
      `--root=${top}`,
      `--wd=${top}`,
    ],
    ...["--", "ls", "--verbose", "a b"],
  ]);
  expect(env).toEqual({ A: "b" });
});
