import { chown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createContext } from "./run.ts";
import { withWorkDirectory } from "./work-directory.ts";

async function makeParent() {
  const parent = await mkdtemp(join(tmpdir(), "work-directory-"));
  onTestFinished(() => rm(parent, { recursive: true }));
  const ctx = createContext();
  return { parent, ctx: { ...ctx, env: { ...ctx.env, TMPDIR: parent } } };
}

test("the directory is gone when the work is done, or has failed", async () => {
  const { parent, ctx } = await makeParent();
  const dir = await withWorkDirectory(ctx, "export", async (it) => {
    await writeFile(join(it, "layer"), "x");
    return it;
  });
  expect(basename(dir)).toMatch(/^bootc-export-\w{6}$/);
  const failed = withWorkDirectory(ctx, "export", () => Promise.reject(new Error("no")));
  await expect(failed).rejects.toThrow("no");
  expect(await readdir(parent)).toEqual([]);
});

test("what a killed run left goes, what a running one uses stays", async () => {
  const { parent, ctx } = await makeParent();
  await mkdir(join(parent, "bootc-import-abcdef/blobs"), { recursive: true });
  await writeFile(join(parent, "bootc-import-abcdef/blobs/layer"), "x");
  await withWorkDirectory(ctx, "export", async (running) => {
    await withWorkDirectory(ctx, "export", async (other) => {
      expect((await readdir(parent)).sort()).toEqual(
        [running, other].map((it) => basename(it)).sort(),
      );
    });
    expect(await readdir(parent)).toEqual([basename(running)]);
  });
});

test("nothing else of such a name is touched", async () => {
  const { parent, ctx } = await makeParent();
  await writeFile(join(parent, "bootc-export-file00"), "");
  await mkdir(join(parent, "elsewhere"));
  await writeFile(join(parent, "elsewhere/kept"), "");
  await symlink("elsewhere", join(parent, "bootc-export-link00"));
  await mkdir(join(parent, "bootc-export-other"));
  const isRoot = process.geteuid?.() === 0;
  await mkdir(join(parent, "bootc-export-foreig"));
  if (isRoot) await chown(join(parent, "bootc-export-foreig"), 65534, 65534);
  await withWorkDirectory(ctx, "export", async () => {});
  expect(await readdir(join(parent, "elsewhere"))).toEqual(["kept"]);
  expect((await readdir(parent)).sort()).toEqual([
    "bootc-export-file00",
    ...(isRoot ? ["bootc-export-foreig"] : []),
    "bootc-export-link00",
    "bootc-export-other",
    "elsewhere",
  ]);
});
