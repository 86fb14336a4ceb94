import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { dropUnfinishedReset, markReset } from "./unfinished-reset.ts";

test("what an interrupted reset has staged is in the error when it cannot be dropped", async () => {
  const root = await mkdtemp(join(tmpdir(), "bootc-reset-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const it of ["run/bootc", "run/ostree"]) await mkdir(join(root, it), { recursive: true });
  await writeFile(join(root, "run/ostree/staged-deployment"), "damaged");
  const { ctx } = scriptedContext(root, []);
  await markReset(ctx, "anew");
  await expect(dropUnfinishedReset(ctx)).rejects.toMatchObject({
    message: "dropping what an interrupted `install reset` has staged",
    cause: expect.anything(),
    hint: "a full reboot drops it as well",
  });
  expect(await readFile(join(root, "run/bootc/resetting"), "utf8")).toBe("anew\n");
});
