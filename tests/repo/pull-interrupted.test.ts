// Pulls that are killed at any moment, and pulls with concurrent writers.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pendingRef, TREE_PREFIX } from "../../src/ostree/ref-names.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { chosenSeed, createRandom, randomBytes } from "./images/random.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import {
  bootc,
  commandLinesWith,
  ostree,
  outliving,
  pullArgs,
  type Scratch,
  startBootc,
} from "./program.ts";
import type { Registry } from "./registry.ts";
import { leftovers, type ServedImage, serveImage } from "./served-image.ts";
import type { MadeImage } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
/** How often a pull is killed with each ostree; each time takes a second or two. */
const KILLS = Number(process.env.BOOTC_TEST_KILLS ?? 50);
/** How many of these pulls in a row use the same repository. */
const KILLS_PER_REPO = 4;
const SEED = chosenSeed();

describeEachOstree(() => {
  let scratch: Scratch;
  let registry: Registry;
  let image: MadeImage;
  let served: ServedImage;

  beforeAll(async () => {
    const random = createRandom(1);
    served = await serveImage(
      Array.from({ length: 6 }, (_, i) => ({
        [`/usr/lib/file-${i}`]: randomBytes(random, 200_000),
        [`/etc/file-${i}`]: String(i),
      })),
    );
    ({ scratch, registry, image } = served);
  });
  afterAll(() => served?.remove());

  const reference = () => `ostree-unverified-registry:${registry.address}/os`;

  async function expectWhole(repo: string): Promise<void> {
    ostree("fsck", `--repo=${repo}`, "--quiet");
    const refs = ostree("refs", `--repo=${repo}`).split("\n").filter(Boolean);
    expect(refs.filter((it) => !it.startsWith("ostree/container/"))).toEqual([]);
    expect(refs.filter((it) => it.startsWith("ostree/container/blob/"))).toHaveLength(6);
    expect(refs.filter((it) => it.startsWith("ostree/container/image/"))).toHaveLength(1);
    expect(await leftovers(repo)).toEqual([]);
    const temporary = await readdir(join(repo, "tmp"));
    expect(temporary.filter((it) => it.startsWith("bootc"))).toEqual([]);
  }

  /** Digests of layers that were served to their last byte. */
  function completeBlobs(requests: readonly string[]): readonly string[] {
    return requests.flatMap((it) => {
      const digest = /^GET \/v2\/os\/blobs\/(sha256:[0-9a-f]+) 200$/.exec(it)?.[1];
      return digest !== undefined && image.layerDigests.includes(digest) ? [digest] : [];
    });
  }

  /** How long an uninterrupted pull takes, in milliseconds. */
  async function measurePull(): Promise<number> {
    const startedAt = Date.now();
    await bootc(pullArgs(scratch.repo(), reference(), INSECURE));
    return Date.now() - startedAt;
  }

  test(`killed ${KILLS} times at moments of BOOTC_TEST_SEED=${SEED}, every next run gets there`, async () => {
    const random = createRandom(SEED);
    const durationMs = await measurePull();
    for (let kills = 0; kills < KILLS; ) {
      const repo = scratch.repo();
      for (let i = 0; i < KILLS_PER_REPO && kills < KILLS; i++, kills++) {
        const running = startBootc(pullArgs(repo, reference(), INSECURE));
        const timer = setTimeout(() => running.kill("SIGKILL"), random(1000) * 0.001 * durationMs);
        await running.ended;
        clearTimeout(timer);
      }
      const last = await bootc(pullArgs(repo, reference(), INSECURE));
      expect(last).toMatchObject({ status: 0 });
      await expectWhole(repo);
    }
  }, 1_800_000);

  test("killed while a blob hangs, no complete blob is fetched again", async () => {
    const repo = scratch.repo();
    const hanging = image.layerDigests[3] ?? "";
    const proxy = await startFaultyProxy(registry.address, (path) =>
      path.endsWith(hanging) ? { kind: "stall", afterBytes: 50_000 } : { kind: "pass" },
    );
    try {
      const through = `ostree-unverified-registry:${proxy.address}/os`;
      const running = startBootc(pullArgs(repo, through, INSECURE));
      const others = image.layerDigests.filter((it) => it !== hanging);
      await running.until(() =>
        others.every((it) => proxy.asked.some((asked) => asked.endsWith(it))),
      );
      // Imported, or complete in the cache: either way these need no second download.
      await pendingOrCached(running, repo, others.length);
      running.kill("SIGKILL");
      await running.ended;
    } finally {
      await proxy.stop();
    }
    await registry.requests();
    const again = await bootc(pullArgs(repo, reference(), INSECURE));
    expect(again).toMatchObject({ status: 0 });
    expect(completeBlobs(await registry.requests())).toEqual([hanging]);
    await expectWhole(repo);
  });

  async function pendingOrCached(
    running: { until(isTrue: () => boolean): Promise<void> },
    repo: string,
    count: number,
  ): Promise<void> {
    await running.until(() => {
      const pending = ostree("refs", `--repo=${repo}`, "--list", "bootc-pull/pending");
      return pending.split("\n").filter(Boolean).length >= count;
    });
  }

  test("the second of two simultaneous pulls waits, says for whom, and finds the work done", async () => {
    const repo = scratch.repo();
    const release = Promise.withResolvers<void>();
    const proxy = await startFaultyProxy(registry.address, (path) =>
      path.endsWith(image.layerDigests[5] ?? "")
        ? { kind: "hold", until: release.promise }
        : { kind: "pass" },
    );
    try {
      const through = `ostree-unverified-registry:${proxy.address}/os`;
      const first = startBootc(pullArgs(repo, through, INSECURE));
      await first.says("fetching ");
      const second = startBootc(pullArgs(repo, through, INSECURE));
      await second.says(
        `waiting for another program (pulling docker://${proxy.address}/os, process`,
      );
      const third = await bootc(pullArgs(repo, through, INSECURE, "--lock-timeout", "0.2"));
      expect(third).toMatchObject({ status: 9 });
      expect(third.stderr).toContain("is still at work after 0.2 s");
      release.resolve();
      expect(await first.ended).toMatchObject({ status: 0 });
      expect(await second.ended).toMatchObject({ status: 0 });
      await expectWhole(repo);
    } finally {
      await proxy.stop();
    }
  });

  test.each(["commit", "pull-local"])(
    "when a pull is killed while `ostree %s` runs, ostree ends, too",
    async (verb) => {
      const repo = scratch.repo();
      // With these settings, ostree makes or moves the commits of all layers, as we would do otherwise.
      const setting = verb === "commit" ? "core.per-object-fsync=true" : "core.locking=false";
      ostree("config", `--repo=${repo}`, "set", ...setting.split("="));
      const bin = join(scratch.dir, `halting-${verb}`);
      await mkdir(bin);
      // While stopped, ostree does not see the end of its input.
      const script = `#!/bin/sh\n[ "$1" != ${verb} ] || kill -STOP $$\nPATH=\${PATH#*:} exec ostree "$@"\n`;
      await writeFile(join(bin, "ostree"), script, { mode: 0o755 });
      const env = { PATH: `${bin}:${process.env.PATH}` };
      const running = startBootc(pullArgs(repo, reference(), INSECURE), { env });
      const stopped = `${bin}/ostree ${verb} `;
      // Wait for all of them: one that is only being started would miss our end.
      const count = verb === "commit" ? Math.min(availableParallelism(), 6) : 1;
      try {
        await running.until(() => commandLinesWith(stopped).length === count);
      } finally {
        running.kill("SIGKILL");
        await running.ended;
      }
      expect(await outliving(repo)).toEqual([]);
      expect(await bootc(pullArgs(repo, reference(), INSECURE))).toMatchObject({ status: 0 });
      await expectWhole(repo);
    },
  );

  test("killed after its commit, the next pull changes nothing and removes what is left", async () => {
    const repo = scratch.repo();
    const whole = await bootc(pullArgs(repo, reference(), INSECURE));
    const commit = /=> ([0-9a-f]{64})/.exec(whole.stdout)?.[1] ?? "";
    // Until its last step, a pull has the folder of its download and the refs of its parts.
    await mkdir(join(repo, "extensions/bootc/fetch-killed"));
    const pending = pendingRef(image.layerDigests[0] ?? "");
    for (const ref of [`${TREE_PREFIX}/labelled`, `${TREE_PREFIX}/unlabelled`, pending]) {
      ostree("refs", `--repo=${repo}`, `--create=${ref}`, commit);
    }
    const next = await bootc(pullArgs(repo, reference(), INSECURE));
    expect(next).toMatchObject({ status: 0, stdout: expect.stringMatching(/^No changes in /) });
    await expectWhole(repo);
  });

  test("a killed holder leaves no lock behind", async () => {
    const repo = scratch.repo();
    const proxy = await startFaultyProxy(registry.address, (path) =>
      path.includes("/blobs/") ? { kind: "stall", afterBytes: 100 } : { kind: "pass" },
    );
    const through = `ostree-unverified-registry:${proxy.address}/os`;
    const first = startBootc(pullArgs(repo, through, INSECURE));
    // The configuration is a blob, too, and the plan needs it.
    await first.until(() => proxy.asked.length > 0);
    first.kill("SIGKILL");
    await first.ended;
    await proxy.stop();
    const next = await bootc(pullArgs(repo, reference(), INSECURE, "--lock-timeout", "0"));
    expect(next).toMatchObject({ status: 0 });
  });

  test("a pull loses nothing to ostree's own clean-up", async () => {
    const sysroot = join(scratch.dir, "sysroot");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
    const repo = join(sysroot, "ostree/repo");
    const proxy = await startFaultyProxy(registry.address, (path) =>
      path.endsWith(image.layerDigests[5] ?? "")
        ? { kind: "slow", bytesPerSecond: 200_000 }
        : { kind: "pass" },
    );
    try {
      const through = `ostree-unverified-registry:${proxy.address}/os`;
      const pulling = startBootc(pullArgs(repo, through, INSECURE));
      let isOver = false;
      void pulling.ended.then(() => {
        isOver = true;
      });
      let cleanups = 0;
      while (!isOver) {
        ostree("admin", "cleanup", `--sysroot=${sysroot}`);
        cleanups++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(cleanups).toBeGreaterThan(1);
      expect(await pulling.ended).toMatchObject({ status: 0 });
      await expectWhole(repo);
    } finally {
      await proxy.stop();
    }
  });
});
