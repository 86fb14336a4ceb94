import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatDictionary } from "../ostree/objects.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { readStagedDeployment } from "./staged.ts";

const [TARGET, BOOTED] = ["a", "b"].map((it) => `${it.repeat(64)}.0`);

/** What is staged by a file that names these deployments: what is staged, and whose `/etc` is merged. */
async function read(target: string | undefined, source: string | undefined) {
  const root = await mkdtemp(join(tmpdir(), "bootc-staged-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, "run/ostree"), { recursive: true });
  const deployment = (name: string) => ({
    type: "a{sv}",
    value: [
      ["name", { type: "s", value: name }],
      ["osname", { type: "s", value: "default" }],
      ["bootcsum", { type: "s", value: "0".repeat(64) }],
    ],
  });
  const bytes = formatDictionary([
    ...(target === undefined ? [] : [["target", deployment(target)] as const]),
    ...(source === undefined ? [] : [["merge-deployment", deployment(source)] as const]),
  ]);
  await writeFile(join(root, "run/ostree/staged-deployment"), bytes);
  return await readStagedDeployment(scriptedContext(root, []).ctx);
}

test("a staged deployment knows whose changes to /etc it gets", async () => {
  const named = (name: string | undefined) => ({ stateroot: "default", name });
  const mergeSource = named(BOOTED);
  expect(await read(TARGET, BOOTED)).toMatchObject({ ...named(TARGET), mergeSource });
  expect(await read(TARGET, undefined)).toMatchObject({ mergeSource: undefined });
});

test.each([
  [undefined, BOOTED],
  ["../x", BOOTED],
  [TARGET, "../x"],
])("a file that names %s and %s is damaged", async (target, source) => {
  await expect(read(target, source)).rejects.toMatchObject({ kind: "integrity" });
});
