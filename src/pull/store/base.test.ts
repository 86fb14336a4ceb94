import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { EMPTY_TREE, objectPath } from "../../ostree/objects.ts";
import { pendingRef } from "../../ostree/ref-names.ts";
import { unverifiedRef } from "../../repository/pending.ts";
import type { Context } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { makeFileRepository } from "../../testing/stored-image.ts";
import { createOstreeBase, createOwnBase } from "./base.ts";

const LAYER = `sha256:${"a".repeat(64)}`;
const COMMIT = "c".repeat(64);

/** A base of one object, and an ostree that fails as `failure` says. */
async function makeBed(failure?: Error) {
  const { repo } = await makeFileRepository();
  const unverified = join(repo, "refs/heads", unverifiedRef(LAYER));
  await mkdir(dirname(unverified), { recursive: true });
  await writeFile(unverified, `${COMMIT}\n`);
  const pulled: string[] = [];
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(_program, args) {
      const scratch = args.find((it) => it.startsWith(join(repo, "tmp"))) ?? "";
      pulled.push(await readFile(join(scratch, "refs/heads", pendingRef(LAYER)), "utf8"));
      pulled.push(await readFile(join(scratch, objectPath(COMMIT, "commit")), "utf8"));
      if (failure !== undefined) throw failure;
      return "";
    },
  };
  const base = await createOstreeBase(ctx, { repo, layerDigest: LAYER });
  base.add(COMMIT, "commit", Buffer.from("the commit"));
  return {
    base,
    pulled,
    leftOf: (path: string) => readdir(join(repo, path)),
    readUnverified: () => readFile(unverified, "utf8"),
  };
}

test("ostree gets the base with its pending ref; the unverified one goes", async () => {
  const { base, pulled, leftOf, readUnverified } = await makeBed();
  const { durable } = await base.accept(COMMIT);
  await durable;
  expect(pulled).toEqual([`${COMMIT}\n`, "the commit"]);
  await expect(readUnverified()).rejects.toThrow("ENOENT");
  base.end();
  expect(await leftOf("tmp")).toEqual([]);
});

test("a base that ostree does not take keeps its layer unverified", async () => {
  const { base, readUnverified } = await makeBed(new Error("error: No such metadata object"));
  await expect(base.accept(COMMIT)).rejects.toMatchObject({ kind: "integrity" });
  expect(await readUnverified()).toBe(`${COMMIT}\n`);
  base.end();
});

test.each([
  ["No such metadata object", "integrity"],
  ["Corrupted dirmeta object", "integrity"],
  ["Permission denied", undefined],
])("published by us, a base for which ostree says `%s` fails as %s", async (said, kind) => {
  const failure = new Error(said);
  const publish = () => Promise.reject(failure);
  const scratch = { add: () => undefined };
  const slot = { scratch, publish } as unknown as Parameters<typeof createOwnBase>[0];
  const { durable } = await createOwnBase(slot, LAYER).accept(EMPTY_TREE);
  const error = await durable.catch((it: unknown) => it);
  if (kind === undefined) expect(error).toBe(failure);
  else expect(error).toMatchObject({ kind, cause: failure });
});
