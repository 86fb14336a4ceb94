import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import { withSignal } from "../system/context.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { cleanAfterStaging } from "./clean-after-staging.ts";
import { markStaging } from "./staging-mark.ts";

test.each([
  [true, []],
  [false, ["staging"]],
])(
  "what is left undone ends with a clean-up only if everybody was told (%s)",
  async (isTold, marks) => {
    const root = await mkdtemp(join(tmpdir(), "bootc-staged-"));
    onTestFinished(() => rm(root, { recursive: true }));
    const repo = join(root, "sysroot/ostree/repo");
    await mkdir(join(repo, "objects"), { recursive: true });
    await writeFile(join(repo, "config"), "[core]\nmode=bare\n");
    await mkdir(join(root, "run/bootc"), { recursive: true });
    const { ctx, requireAllUsed, transcript } = scriptedContext(root, [
      ["+ flock --exclusive --nonblock --conflict-exit-code 75 3"],
      ...[" --commit-only", ""].map(
        (it): ScriptLine => [
          `? ostree prune --repo=ROOT/sysroot/ostree/repo --refs-only --depth=0${it}`,
          "No unreachable objects\n",
        ],
      ),
    ]);
    await markStaging(ctx, { digest: "sha256:a", abandonedRefspec: undefined });
    await cleanAfterStaging(ctx, { abandonedRefspec: undefined, lockTimeoutMs: undefined, isTold });
    requireAllUsed();
    expect(transcript()).not.toContain("note:");
    expect(await readdir(join(root, "run/bootc"))).toEqual(marks);
  },
);

test("an interruption says that the image is staged, and that another run cleans up", async () => {
  const root = await mkdtemp(join(tmpdir(), "bootc-staged-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, "run/bootc"), { recursive: true });
  const { ctx, transcript } = scriptedContext(root, []);
  const interrupted = new BootcError("interrupted", { hint: "run it again to carry on" });
  await markStaging(ctx, { digest: "sha256:a", abandonedRefspec: undefined });
  const error = await cleanAfterStaging(withSignal(ctx, AbortSignal.abort(interrupted)), {
    abandonedRefspec: undefined,
    lockTimeoutMs: undefined,
    isTold: true,
  }).catch(describeError);
  expect(error).toMatchObject({
    message: "cleaning up after staging",
    causes: ["interrupted"],
    hint: "run it again to carry on",
  });
  expect(transcript()).not.toContain("note:");
  expect(await readdir(join(root, "run/bootc"))).toEqual(["staging"]);
});
