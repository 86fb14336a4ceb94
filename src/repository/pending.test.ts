// What becomes a trusted ref, and what does not.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingRef } from "../ostree/ref-names.ts";
import { acceptLayer, unverifiedRef } from "./pending.ts";

const DIGEST = `sha256:${"d".repeat(64)}`;
const [OURS, FOREIGN] = ["a".repeat(64), "b".repeat(64)];

let repo: string;
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "bootc-pending-"));
});
afterEach(() => rm(repo, { recursive: true }));

async function writeUnverified(commit: string): Promise<void> {
  const path = join(repo, "refs/heads", unverifiedRef(DIGEST));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${commit}\n`);
}

const readPending = () => readFile(join(repo, "refs/heads", pendingRef(DIGEST)), "utf8");

test("a layer is accepted under the commit that was imported", async () => {
  await writeUnverified(OURS);
  await acceptLayer(repo, DIGEST, OURS);
  expect(await readPending()).toBe(`${OURS}\n`);
});

test.each([
  { what: "another commit, as an import that outlived its pull leaves it", found: FOREIGN },
  { what: "nothing", found: undefined },
])("where the unverified ref names $what, no layer is accepted", async ({ found }) => {
  if (found !== undefined) await writeUnverified(found);
  const failure = await acceptLayer(repo, DIGEST, OURS).catch((it) => it);
  expect(failure).toMatchObject({ kind: "integrity" });
  expect(failure.message).toContain(`names \`${found ?? "nothing"}\``);
  await expect(readPending()).rejects.toThrow("ENOENT");
});
