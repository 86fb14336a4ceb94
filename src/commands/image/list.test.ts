import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { imageRef } from "../../ostree/ref-names.ts";
import { treeOf } from "../../testing/bound-tree.ts";
import { machineOf, play } from "../../testing/play-verb.ts";
import { hostImageList } from "./list.ts";

test("images of the repository, of the storage and those bound are listed with their kind", async () => {
  const it = await machineOf("2025.2");
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(it.root, path)), { recursive: true });
    await writeFile(join(it.root, path), text);
  };
  await write("sysroot/ostree/repo/config", "[core]\nrepo_version=1\nmode=bare\n");
  await write(
    `sysroot/ostree/repo/refs/heads/${imageRef("docker://quay.io/x/os:1")}`,
    `${"a".repeat(64)}\n`,
  );
  const stored = [{ id: "1", names: ["quay.io/x/app:1", "localhost/app:1"] }, { id: "2" }];
  await write("sysroot/ostree/bootc/storage/overlay-images/images.json", JSON.stringify(stored));
  await write("etc/containers/systemd/app.image", "[Image]\nImage=quay.io/x/app:1\n");
  const dir = join(it.root, "usr/lib/bootc/bound-images.d");
  await mkdir(dir, { recursive: true });
  await symlink("/etc/containers/systemd/app.image", join(dir, "app.image"));
  const list = (type: "all" | "host" | "logical", format: "table" | "json" = "table") =>
    play(it, [], (ctx) => hostImageList(ctx, { type, format }));
  const all = await list("all");
  const host = all.split("\n").filter((line) => line.includes("docker://"));
  expect(all).toContain("> REPOSITORY");
  expect(host).toContainEqual(expect.stringMatching(/^docker:\/\/quay\.io\/x\/os:1 +host$/));
  expect(all).toMatch(/\nquay\.io\/x\/app:1 +unified\nlocalhost\/app:1 +unified\n/);
  expect(all).toMatch(/\nquay\.io\/x\/app:1 +logical\n/);
  expect(await list("host")).not.toContain("logical");
  expect(await list("logical", "json")).toBe(
    `\n> ${JSON.stringify([{ image_type: "logical", image: "quay.io/x/app:1" }], undefined, 2)}\n (no newline)\n`,
  );
});

test("in a container there are only bound images", async () => {
  const root = await treeOf("x");
  await mkdir(join(root, "run"));
  await writeFile(join(root, "run/.containerenv"), "");
  const it = { root, booted: "" };
  const list = (type: "all" | "host") =>
    play(it, [], (ctx) => hostImageList(ctx, { type, format: "table" }));
  expect(await list("all")).toBe("\n> REPOSITORY  TYPE\nx           logical\n (no newline)\n");
  expect(await list("host")).toBe(
    "\n\nerror: Listing host images requires a booted bootc system\n",
  );
});
