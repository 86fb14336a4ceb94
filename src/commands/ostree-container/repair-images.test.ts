import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatCommit, objectPath, sha256 } from "../../ostree/objects.ts";
import { blobRef } from "../../ostree/ref-names.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { makeFileRepository, makeImage, makeLayer } from "../../testing/stored-image.ts";
import { repairImages } from "./repair-images.ts";

/** A commit whose directories are not in the repository. */
const BROKEN = formatCommit({
  ...{ metadata: [], parent: undefined, subject: "", body: "", timestampEpoch: 0 },
  rootTree: "ab".repeat(32),
  rootMeta: "0".repeat(64),
});

async function makeSysroot(repo: string): Promise<string> {
  const sysroot = await mkdtemp(join(tmpdir(), "repair-"));
  onTestFinished(() => rm(sysroot, { recursive: true }));
  await mkdir(join(sysroot, "ostree"));
  await symlink(repo, join(sysroot, "ostree/repo"));
  return sysroot;
}

test("an image that lacks an object does not keep others from being verified", async () => {
  const { repo, write, setRef, store } = await makeFileRepository();
  const [bad, good] = [makeLayer("bad"), makeLayer("good")];
  await store({ transport: "registry", name: "example.com/a" }, makeImage([bad]));
  await store({ transport: "registry", name: "example.com/b" }, makeImage([good]));
  await write(objectPath(sha256(BROKEN), "commit"), BROKEN);
  await setRef(blobRef(bad.digest), sha256(BROKEN));
  const lock = "+ flock --exclusive --nonblock --conflict-exit-code 75 3";
  const { ctx, transcript } = scriptedContext("/nonexistent", [[lock]]);
  await repairImages(ctx, { sysroot: await makeSysroot(repo) });
  const said = transcript();
  expect(said).toMatch(
    /^! warning: .*example\.com\/a cannot be verified: .* not in the repository$/m,
  );
  expect(said).toMatch(/^> OK image .*example\.com\/b\n> OK no corruption found$/m);
});
