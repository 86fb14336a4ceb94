// Layers written at the same time: they are moved together, and a failure of one affects the others.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootcError } from "../../src/errors.ts";
import { objectPath } from "../../src/ostree/objects.ts";
import { pendingRef } from "../../src/ostree/ref-names.ts";
import { importLayer } from "../../src/pull/import/layer.ts";
import { type Batches, createBatches } from "../../src/pull/store/batches.ts";
import { createContext } from "../../src/system/run.ts";
import { isDoorShut, NEEDS_DOOR } from "./door.ts";
import { file, makeTar } from "./images/tar-writer.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { contextWith, createTestRepo, digestOf, importBlob, type TestRepo } from "./test-repo.ts";

describeEachOstree((ostree) => {
  let it: TestRepo;
  beforeEach(() => {
    it = createTestRepo(ostree);
  });
  afterEach(() => it.remove());

  const tarOf = (name: string) => makeTar([file(`usr/${name}`, name), file("usr/shared", "x")]);

  function importInto(batches: Batches, ctx: typeof it.ctx, tar: Buffer, digest = digestOf(tar)) {
    const blob = join(it.work, digest.slice(7));
    writeFileSync(blob, tar);
    return importLayer(ctx, {
      batches,
      repo: it.repo,
      kind: "derived",
      layerDigest: digest,
      blob,
      digest,
      filter: { allowsNonUsr: true, retainsVar: true },
      importerVersion: "test",
    });
  }

  /** Makes ostree carry out the transactions, as it does for all settings that ours ignore. */
  const leaveToOstree = () => it.ostree("config", "set", "core.locking", "false");

  test.for(["ours", "ostree's"])(
    "layers that are written at the same time are moved in one transaction of %s",
    async (whose, { skip }) => {
      if (isDoorShut && whose === "ours") skip(NEEDS_DOOR);
      it.ostree("config", "set", "core.fsync", "true");
      if (whose !== "ours") leaveToOstree();
      const log = join(it.work, "log");
      const ctx = contextWith(ostree, it, `echo "$1" >> ${log}`);
      const started: string[] = [];
      const run = (...words: Parameters<typeof ctx.run>) => {
        started.push(words[0]);
        return ctx.run(...words);
      };
      const batches = await createBatches({ ...ctx, run }, it.repo);
      const tars = ["a", "b", "c", "d"].map(tarOf);
      const layers = await Promise.all(tars.map((tar) => importInto(batches, ctx, tar)));
      await Promise.all(layers.map((layer) => layer.durable));
      await batches.remove();
      expect(existsSync(log) ? readFileSync(log, "utf8") : "").toBe(
        whose === "ours" ? "" : "pull-local\n",
      );
      // Once for the content, and once for its names.
      expect(started).toEqual(whose === "ours" ? ["sync", "sync"] : []);
      for (const [i, tar] of tars.entries()) {
        expect(it.ostree("rev-parse", pendingRef(digestOf(tar)))).toBe(layers[i]?.commit);
      }
      it.ostree("fsck", "--quiet");
    },
  );

  test("a damaged layer fails alone", async () => {
    const batches = await createBatches(it.ctx, it.repo);
    const good = importInto(batches, it.ctx, tarOf("good"));
    const wrong = digestOf(Buffer.from("another"));
    await expect(importInto(batches, it.ctx, tarOf("bad"), wrong)).rejects.toMatchObject({
      kind: "integrity",
    });
    await (await good).durable;
    await batches.remove();
    expect(it.ostree("refs")).toBe(pendingRef(digestOf(tarOf("good"))));
    it.ostree("fsck", "--quiet");
  });

  test("after a disk error, no layer of the batch is moved", async () => {
    const batches = await createBatches(it.ctx, it.repo);
    const failing = await batches.open();
    const layer = await importInto(batches, it.ctx, tarOf("good"));
    failing.spoil(new BootcError("no room", { kind: "space" }));
    failing.end();
    await expect(layer.durable).rejects.toMatchObject({ kind: "space" });
    expect(it.ostree("refs")).toBe("");
    // Later layers are not affected.
    await (await importInto(batches, it.ctx, tarOf("next"))).durable;
    await batches.remove();
    expect(it.ostree("refs")).toBe(pendingRef(digestOf(tarOf("next"))));
  });

  test("every layer in a failed transaction gets the error", async () => {
    leaveToOstree();
    const ctx = contextWith(
      ostree,
      it,
      '[ "$1" != pull-local ] || { echo "error: No space left on device" >&2; exit 1; }',
    );
    const batches = await createBatches(ctx, it.repo);
    const layers = await Promise.all(
      ["a", "b"].map((name) => importInto(batches, ctx, tarOf(name))),
    );
    for (const { durable } of layers) {
      await expect(durable).rejects.toMatchObject({ kind: "space" });
    }
    await batches.remove();
    expect(it.ostree("refs")).toBe("");
    expect(readdirSync(join(it.repo, "tmp")).filter((name) => name.startsWith("bootc"))).toEqual(
      [],
    );
  });

  test("a layer whose commit exists without all of its objects is completed", async () => {
    const env = { ...ostree.env, SOURCE_DATE_EPOCH: "1" };
    const dated = { ...it, ctx: createContext({ env }) };
    const tar = tarOf("a");
    const first = await importBlob(dated, tar, { writer: "ours" });
    const listed = it.ostree("ls", "-C", first.commit, "/usr/a");
    const object = join(it.repo, objectPath(/[0-9a-f]{64}/.exec(listed)?.[0] ?? "", "file"));
    it.ostree("refs", "--delete", pendingRef(digestOf(tar)));
    rmSync(object);
    const again = await importBlob(dated, tar, { writer: "ours" });
    expect(again.commit).toBe(first.commit);
    expect(existsSync(object)).toBe(true);
    it.ostree("fsck", "--quiet");
  });
});
