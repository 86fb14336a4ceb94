import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { formatDictionary } from "../../ostree/objects.ts";
import type { Context } from "../../system/context.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { formatStageArgs, setFinalizationLock, stageDeployment } from "./admin.ts";

const request = {
  stateroot: "default",
  commit: "c0ffee",
  origin: "",
  kargs: undefined,
  isLocked: false,
};

test("arguments are inherited unless they are given, each in one word", () => {
  const plain = ["admin", "deploy", "--stage", "--os=default", "--origin-file=/o", "c0ffee"];
  expect(formatStageArgs(request, "/o")).toEqual(plain);
  const given = { ...request, kargs: ["rw", 'x="a b"'], isLocked: true };
  expect(formatStageArgs(given, "/o")).toEqual([
    ...plain.slice(0, 5),
    "--lock-finalization",
    "--karg-none",
    "--karg-append=rw",
    '--karg-append=x="a b"',
    "c0ffee",
  ]);
  expect(formatStageArgs({ ...request, isFresh: true }, "/o")).toContain("--no-merge");
});

describe("a prepared soft reboot is cancelled", () => {
  const RESET = "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset";

  /** Plays `change` on a host with a prepared soft reboot. */
  async function play(
    scriptOf: (staged: string) => readonly ScriptLine[],
    change: (ctx: Context) => Promise<void>,
  ): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), "admin-"));
    onTestFinished(() => rm(root, { recursive: true }));
    const run = join(root, "run/ostree");
    await mkdir(run, { recursive: true });
    const prepared = join(run, "nextroot-booted");
    await writeFile(prepared, "");
    const reset: ScriptLine = [RESET, () => rm(prepared)];
    const script = [...scriptOf(join(run, "staged-deployment")), reset];
    const { ctx, requireAllUsed } = scriptedContext(root, script);
    await change(ctx);
    requireAllUsed();
  }

  const commit = "c0ffee00".repeat(8);
  const stagedFile = formatDictionary([
    [
      "target",
      {
        type: "a{sv}",
        value: [
          ["name", { type: "s", value: `${commit}.0` }],
          ["osname", { type: "s", value: "default" }],
          ["bootcsum", { type: "s", value: "0".repeat(64) }],
        ],
      },
    ],
  ]);

  test("when something else is staged", async () => {
    const deploy = `+ ostree admin deploy --stage --os=default --origin-file=TMP/origin ${commit}`;
    await play(
      (staged) => [[deploy, () => writeFile(staged, stagedFile)]],
      (ctx) => stageDeployment(ctx, { ...request, commit }),
    );
  });

  test("when the staged deployment will not be applied", async () => {
    await play(
      (staged) => [
        ["? ostree --version", " Version: '2025.7'\n"],
        [
          "+ ostree admin lock-finalization",
          async () => {
            await writeFile(staged, stagedFile);
            await writeFile(`${staged}-locked`, "");
          },
        ],
      ],
      (ctx) => setFinalizationLock(ctx, "locked"),
    );
  });
});
