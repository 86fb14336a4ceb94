// Pulls of a labelled image that are killed: between any two steps of a transaction, and at any moment.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testThroughDoor } from "./door.ts";
import { encapsulatedTars } from "./images/encapsulate.ts";
import { chosenSeed, createRandom, randomBytes } from "./images/random.ts";
import { craftedPolicy } from "./images/selinux-policy.ts";
import { dir, file, makeTar } from "./images/tar-writer.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, ostree, pullArgs, startBootc } from "./program.ts";
import { leftovers, type ServedImage, serveImage } from "./served-image.ts";
import { createTestRepo, digestOf, importBlob } from "./test-repo.ts";

const INSECURE = "--insecure-skip-tls-verification";
/** How often a pull is killed with each ostree; each time takes some seconds. */
const KILLS = Number(process.env.BOOTC_TEST_KILLS ?? 12);
const SEED = chosenSeed();

describeEachOstree((version) => {
  let served: ServedImage;

  beforeAll(async () => {
    const random = createRandom(1);
    const policy = Object.entries(craftedPolicy());
    const source = createTestRepo(version);
    try {
      const base = makeTar([
        ...[dir("."), dir("usr/bin"), file("usr/bin/exact", "exact", { mode: 0o755 })],
        ...policy.map(([path, text]) => file(`usr/etc/selinux/${path}`, text)),
        ...Array.from({ length: 40 }, (_, i) => file(`usr/lib-${i}`, randomBytes(random, 50_000))),
      ]);
      const { commit: tree } = await importBlob(source, base);
      const root = join(source.work, "root");
      source.ostree("checkout", tree, root);
      const words = ["--orphan", "--no-bindings", `--selinux-policy=${root}`];
      const commit = source.ostree("commit", ...words, `--tree=dir=${root}`);
      const { commitLayer, chunks } = encapsulatedTars(source, commit, {
        style: "newest",
        chunkCount: 3,
      });
      const tars = [commitLayer, ...chunks];
      const derived = ["one", "two"].map((name) => ({
        [`/usr/bin/local-${name}`]: randomBytes(random, 100_000),
        [`/etc/${name}.conf`]: name,
      }));
      served = await serveImage([...tars, ...derived], {
        "ostree.final-diffid": digestOf(tars.at(-1) ?? Buffer.alloc(0)),
        "ostree.commit": commit,
      });
    } finally {
      source.remove();
    }
  }, 120_000);
  afterAll(() => served?.remove());

  const args = (repo: string) =>
    pullArgs(repo, `ostree-unverified-registry:${served.registry.address}/os`, INSECURE);

  /** Nothing is damaged right after a kill, and the next pull gets there. */
  async function requireRecovery(repo: string): Promise<void> {
    ostree("fsck", `--repo=${repo}`, "--quiet");
    const last = await bootc(args(repo));
    expect(last).toMatchObject({ status: 0 });
    ostree("fsck", `--repo=${repo}`, "--quiet");
    const refs = ostree("refs", `--repo=${repo}`).split("\n").filter(Boolean);
    expect(refs.filter((it) => !it.startsWith("ostree/container/"))).toEqual([]);
    expect(refs.filter((it) => it.startsWith("ostree/container/blob/"))).toHaveLength(6);
    const [image = ""] = refs.filter((it) => it.startsWith("ostree/container/image/"));
    expect(ostree("ls", `--repo=${repo}`, "-X", image, "/usr/bin/local-two")).toContain(":bin_t:");
    expect(await leftovers(repo)).toEqual([]);
    // Commits of the killed run that nothing names are garbage, with their marks.
    ostree("prune", `--repo=${repo}`, "--refs-only", "--depth=0");
    expect(await readdir(join(repo, "state"))).toEqual([]);
    const temporary = await readdir(join(repo, "tmp"));
    expect(temporary.filter((it) => it.startsWith("bootc"))).toEqual([]);
  }

  /** The environment in which the pull is killed when it flushes the file system for the `n`th time. */
  async function killedAtFlush(n: number, when: "before" | "after") {
    const bin = join(served.scratch.dir, `killing-${when}-${n}`);
    await mkdir(bin);
    const lines = [
      "#!/bin/sh",
      `echo >> ${bin}/count`,
      `[ ${when} = before ] || PATH=\${PATH#*:} sync "$@"`,
      `[ $(wc -l < ${bin}/count) != ${n} ] || kill -KILL $PPID`,
      `[ ${when} = after ] || PATH=\${PATH#*:} exec sync "$@"`,
    ];
    await writeFile(join(bin, "sync"), `${lines.join("\n")}\n`, { mode: 0o755 });
    return { PATH: `${bin}:${process.env.PATH}` };
  }

  testThroughDoor.each(["before", "after"] as const)(
    "killed %s each flush of its transactions",
    async (when) => {
      let flushes = 0;
      for (;;) {
        const repo = served.scratch.repo();
        const env = await killedAtFlush(flushes + 1, when);
        const { status } = await bootc(args(repo), { env });
        if (status === 0) break;
        flushes++;
        await requireRecovery(repo);
      }
      // Chunks, the base, derived layers and the image: at least four transactions of two flushes each.
      expect(flushes).toBeGreaterThanOrEqual(8);
    },
    600_000,
  );

  test(`killed ${KILLS} times at moments of BOOTC_TEST_SEED=${SEED}, every next run gets there`, async () => {
    const random = createRandom(SEED);
    const startedAt = Date.now();
    await bootc(args(served.scratch.repo()));
    const durationMs = Date.now() - startedAt;
    for (let i = 0; i < KILLS; i++) {
      const repo = served.scratch.repo();
      const running = startBootc(args(repo));
      // The first third is Node's start.
      const timer = setTimeout(
        () => running.kill("SIGKILL"),
        (0.3 + random(700) * 0.001) * durationMs,
      );
      await running.ended;
      clearTimeout(timer);
      await requireRecovery(repo);
    }
  }, 1_800_000);
});
