import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectRefused, LOCK, machineOf, play } from "../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { upgrade } from "./upgrade.ts";

test("upgrade --from-downloaded unlocks the staged deployment and checks the result", async () => {
  const script: readonly ScriptLine[] = [LOCK, ["? ostree --version", " Version: '2022.7'\n"]];
  const older = await machineOf("2022.7");
  expect(
    await play(older, script, (ctx) => upgrade(ctx, { fromDownloaded: true })),
  ).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    > Staged deployment will now be applied on reboot
    "
  `);
  expect(await readFile(join(older.root, "run/reboot-required"), "utf8")).toMatch(
    /^bootc: Reboot required for image: sha256:[0-9a-f]{64}\n$/,
  );
  expect(await readdir(join(older.root, "run/bootc"))).not.toContain("staging");
});

test("upgrade --from-downloaded leaves a mark for the next run if nobody could be told", async () => {
  const it = await machineOf("2022.7");
  // A directory cannot be replaced by a file.
  await mkdir(join(it.root, "run/reboot-required"));
  const said = await play(it, COMPLETING, (ctx) => upgrade(ctx, { fromDownloaded: true }));
  expect(said).toContain("! warning: `/run/reboot-required` does not ask for a reboot: ");
  const mark = await readFile(join(it.root, "run/bootc/staging"), "utf8");
  expect(mark).toBe(`${await stagedDigest()}\n\n`);
});

test("upgrade finishes what a killed run left undone after it had staged", async () => {
  const it = await machineOf("2022.7");
  await leaveMark(it.root, await stagedDigest());
  const script: readonly ScriptLine[] = [
    LOCK,
    ["+ ostree admin cleanup"],
    ["? ostree --version", " Version: '2022.7'\n"],
  ];
  const said = await play(it, script, (ctx) => upgrade(ctx, { fromDownloaded: true }));
  // This machine has no repository.
  expect(said.replaceAll(it.root, "ROOT")).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    + ostree admin cleanup
    ! note: not everything could be cleaned up: \`ROOT/sysroot/ostree/repo\` is not an ostree repository
    ? ostree --version
    > Staged deployment will now be applied on reboot
    "
  `);
  // Only a clean-up that succeeds ends it.
  expect(await readdir(join(it.root, "run/bootc"))).toContain("staging");
});

test("upgrade cancels the soft reboot that a killed run left prepared", async () => {
  const it = await machineOf("2022.7");
  const prepared = join(it.root, "run/ostree/nextroot-booted");
  await writeFile(prepared, "");
  await utimes(prepared, 1, 1);
  await leaveMark(it.root, await stagedDigest());
  const script: readonly ScriptLine[] = [
    LOCK,
    [
      "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset",
      () => rm(prepared),
    ],
    ["+ ostree admin cleanup"],
    ["? ostree --version", " Version: '2022.7'\n"],
  ];
  await play(it, script, (ctx) => upgrade(ctx, { fromDownloaded: true }));
});

test("upgrade leaves alone a soft reboot into what is staged", async () => {
  const it = await machineOf("2022.7");
  await leaveMark(it.root, await stagedDigest());
  await utimes(join(it.root, "run/bootc/staging"), 1, 1);
  await writeFile(join(it.root, "run/ostree/nextroot-booted"), "");
  const script: readonly ScriptLine[] = [
    LOCK,
    ["+ ostree admin cleanup"],
    ["? ostree --version", " Version: '2022.7'\n"],
  ];
  await play(it, script, (ctx) => upgrade(ctx, { fromDownloaded: true }));
});

test("upgrade leaves alone what another program has staged since", async () => {
  const it = await machineOf("2022.7");
  await leaveMark(it.root, `sha256:${"0".repeat(64)}`);
  await play(it, COMPLETING, (ctx) => upgrade(ctx, { fromDownloaded: true }));
});

const COMPLETING: readonly ScriptLine[] = [LOCK, ["? ostree --version", " Version: '2022.7'\n"]];

async function leaveMark(root: string, digest: string): Promise<void> {
  await mkdir(join(root, "run/bootc"), { recursive: true });
  await writeFile(join(root, "run/bootc/staging"), `${digest}\n\n`);
}

/** The digest of what the captured machine has staged. */
async function stagedDigest(): Promise<string> {
  const { root, ...it } = await machineOf("2022.7");
  await play({ root, ...it }, COMPLETING, (ctx) => upgrade(ctx, { fromDownloaded: true }));
  const text = await readFile(join(root, "run/reboot-required"), "utf8");
  const [digest] = /sha256:[0-9a-f]{64}/.exec(text) ?? [];
  if (digest === undefined) throw new Error(`no digest in: ${text}`);
  return digest;
}

test("upgrade refuses a host that rpm-ostree has changed", async () => {
  const it = await machineOf("2025.2");
  await rm(join(it.root, "run/ostree/staged-deployment"));
  const path = join(it.root, `sysroot/ostree/deploy/default/deploy/${it.booted}.origin`);
  await writeFile(
    path,
    "[origin]\ncontainer-image-reference=ostree-unverified-registry:x\n[packages]\n",
  );
  expect(await play(it, [LOCK], (ctx) => upgrade(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    error: Deployment contains local rpm-ostree modifications; cannot upgrade via bootc
    "
  `);
});

test.each<[string, { readonly file?: string; readonly env?: Readonly<Record<string, string>> }]>([
  ["there is a file `/run/.containerenv`", { file: "run/.containerenv" }],
  ["there is a file `/.dockerenv`", { file: ".dockerenv" }],
  ["the environment variable `container` is `podman`", { env: { container: "podman" } }],
])("the refusal in a container says how it was detected: %s", async (why, { file, env = {} }) => {
  const { root } = await machineOf("2025.2");
  if (file !== undefined) await writeFile(join(root, file), "");
  const { ctx } = scriptedContext(root, [], { env });
  await expect(upgrade(ctx, {})).rejects.toMatchObject({
    kind: "unsupported",
    hint: `this looks like a container because ${why}`,
  });
});

test("upgrade starts nothing where it may not run", async () => {
  await expectRefused((ctx) => upgrade(ctx, {}));
});
