import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import {
  type Commit,
  EMPTY_TREE,
  formatCommit,
  objectPath,
  parseCommit,
  sha256,
} from "../ostree/objects.ts";
import type { Context } from "../system/context.ts";
import { writeCommit } from "../testing/committed-tree.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { makeFileRepository } from "../testing/stored-image.ts";
import { signCommit } from "./signed-commit.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const ref = "os/signed";
const signing = { key: "/key.pem", algorithm: "sha256", overwrites: false };
const text = (value: string) => ({ type: "s", value }) as const;

/** The commit that is there when ostree is to take it. */
async function signed(repo: string, commit: string): Promise<Commit> {
  const taken: Commit[] = [];
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(program, [verb, ...args]) {
      expect([program, verb]).toEqual(["ostree", "pull-local"]);
      const top = args.at(-1) ?? "";
      const name = readFileSync(join(top, "refs/heads", ref), "utf8").trim();
      taken.push(parseCommit(readFileSync(join(top, objectPath(name, "commit")))));
      return "";
    },
  };
  await signCommit(ctx, { repo, commit, ref, signing });
  const [only] = taken;
  if (only === undefined) throw new Error("ostree was not asked to take a commit");
  return only;
}

test("what a commit says stays the same, but for what is computed from its objects", async () => {
  const { repo, write } = await makeFileRepository();
  const kept = [
    ["version", text("42")],
    ["ostree.bootable", text("")],
  ] as const;
  const before: Commit = {
    ...{ parent: "cd".repeat(32), subject: "a subject", body: "a body", timestampEpoch: 1 },
    ...{ rootTree: EMPTY_TREE, rootMeta: "0".repeat(64) },
    metadata: [
      ...kept.slice(0, 1),
      ["ostree.sizes", text("old")],
      ["ostree.composefs.digest.v0", text("old")],
      ...kept.slice(1),
    ],
  };
  const bytes = formatCommit(before);
  await write(objectPath(sha256(bytes), "commit"), bytes);
  expect(await signed(repo, sha256(bytes))).toEqual({ ...before, metadata: kept });
});

test("nothing is signed where signatures cannot be read", async () => {
  const { repo, write } = await makeFileRepository();
  await write("config", "[core]\nrepo_version=1\nmode=archive\n");
  const commit = await writeCommit(repo, { "usr/a": { archived: "text" } });
  vi.stubEnv("BOOTC_WITHOUT_FFI", "1");
  // Its script is empty, so evmctl would fail the test.
  const { ctx } = scriptedContext(repo, []);
  await expect(signCommit(ctx, { repo, commit, ref, signing })).rejects.toMatchObject({
    kind: "unsupported",
    message: "extended attributes cannot be read here",
    hint: expect.stringContaining("signed"),
  });
  expect(readdirSync(join(repo, "tmp"))).toEqual([]);
});
