import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { wipeOstree } from "./state.ts";

const [a, b] = ["a", "b"].map((it) => `${it.repeat(64)}.0`);

function systemWith({ repo = true, booted = [] as readonly string[] } = {}): string {
  const root = mkdtempSync(join(tmpdir(), "wipe-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const it of ["proc/self", "proc/1/root/run", "run"])
    mkdirSync(join(root, it), { recursive: true });
  writeFileSync(join(root, "proc/self/status"), "Uid:\t0\t0\t0\t0\nCapBnd:\t000001ffffffffff\n");
  if (repo) mkdirSync(join(root, "ostree/repo"), { recursive: true });
  symlinkSync("../../../ostree", join(root, "proc/1/root/ostree"));
  for (const it of booted) writeFileSync(join(root, it, "run/ostree-booted"), "");
  return root;
}

async function play(root: string, script: readonly ScriptLine[]) {
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  await wipeOstree(ctx);
  requireAllUsed();
  return transcript().trim().split("\n").at(-1);
}

test("each deployment is the first one in its turn", async () => {
  const status = "? ostree admin status --sysroot=ROOT";
  const undeploy = "+ ostree admin undeploy --sysroot=ROOT 0";
  const list = `  default ${a}\n  default ${b}\n`;
  const script: ScriptLine[] = [
    [status, list],
    [undeploy],
    [undeploy],
    [status, "No deployments.\n"],
  ];
  expect(await play(systemWith(), script)).toBe("> Deleted deployments: 2");
  const failing: ScriptLine[] = [
    [status, list],
    [undeploy],
    [undeploy],
    [status, `  default ${b}\n`],
  ];
  await expect(play(systemWith(), failing)).rejects.toThrow("did not delete all deployments");
});

test("without a repository there is nothing to do", async () => {
  expect(await play(systemWith({ repo: false }), [])).toBe("> Deleted deployments: 0");
});

test.each([[["."]], [["proc/1/root"]]])(
  "what runs from them, seen at %s, is refused",
  async (booted) => {
    await expect(play(systemWith({ booted }), [])).rejects.toMatchObject({ kind: "unsupported" });
  },
);
