import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type TreeContent, writeCommit } from "../../testing/committed-tree.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { notePolicyRefresh } from "./policy-refresh.ts";

const VERSION = (features: string) => `libostree:\n Version: '2022.7'\n Features:\n${features}`;
const WHY = "ostree has to refresh the image's SELinux policy, and";

interface Case {
  readonly image: Readonly<Record<string, TreeContent>>;
  readonly hasBwrap?: boolean;
  readonly features?: string;
  readonly note?: string;
}

test.each<[about: string, case_: Case]>([
  ["without a policy", { image: { "usr/bin/x": "" } }],
  [
    "with all that is needed",
    { image: { "usr/etc/selinux/config": "", "usr/sbin/semodule": "" }, hasBwrap: true },
  ],
  [
    "with `sbin` as a link",
    {
      image: {
        "usr/etc/selinux/config": "",
        "usr/sbin": { link: "bin" },
        "usr/bin/semodule": "",
      },
      hasBwrap: true,
    },
  ],
  [
    "without bubblewrap",
    {
      image: { "usr/etc/selinux/config": "", "usr/bin/semodule": "" },
      features: "  - libarchive\n  - selinux\n",
      note: `${WHY} this system has no \`/usr/bin/bwrap\``,
    },
  ],
  [
    "without semodule, and without bubblewrap",
    {
      image: { "usr/etc/selinux/config": { link: "x" } },
      features: "  - selinux\n",
      note: `${WHY} this system has no \`/usr/bin/bwrap\`, and the image has no \`semodule\``,
    },
  ],
  [
    "with an ostree that does not know SELinux",
    { image: { "usr/etc/selinux/config": "" }, features: "  - libarchive\n" },
  ],
])("an image %s", async (_about, { image, hasBwrap = false, features, note }) => {
  const root = await mkdtemp(join(tmpdir(), "refresh-"));
  onTestFinished(() => rm(root, { recursive: true }));
  if (hasBwrap) {
    await mkdir(join(root, "usr/bin"), { recursive: true });
    await writeFile(join(root, "usr/bin/bwrap"), "");
  }
  const asked = features === undefined ? [] : [["? ostree --version", VERSION(features)] as const];
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, asked);
  const commit = await writeCommit(join(root, "repo"), image);
  await notePolicyRefresh(ctx, { repo: join(root, "repo"), commit });
  requireAllUsed();
  const said = note === undefined ? [] : [`! note: a shutdown cannot apply this image: ${note}`];
  expect(
    transcript()
      .split("\n")
      .filter((it) => it.startsWith("!")),
  ).toEqual(said);
});
