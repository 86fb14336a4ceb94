// Failures of a registry, a policy or a disk: the exit status, the message, and the repository.
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Fate, PASS, startFaultyProxy } from "./faulty-proxy.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import {
  bootc,
  commandLinesWith,
  ostree,
  pullArgs,
  type Scratch,
  skopeo,
  startBootc,
} from "./program.ts";
import { blobRequests, type Registry, startRegistry, USER } from "./registry.ts";
import { leftovers, type ServedImage, serveImage } from "./served-image.ts";
import { type MadeImage, makeTinyImage, type TinyImage } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
/** Short timeouts for tests, but longer than a busy machine needs between two pieces of a blob. */
const IMPATIENT = ["--stall-timeout", "2", "--give-up-after", "8"];

describeEachOstree(() => {
  let scratch: Scratch;
  let registry: Registry;
  let image: MadeImage;
  let served: ServedImage;

  beforeAll(async () => {
    served = await serveImage([
      { "/usr/bin/a": "a" },
      { "/usr/lib/b": randomBytes(createRandom(1), 2_000_000) },
      { "/etc/c": randomBytes(createRandom(2), 500_000) },
    ]);
    ({ scratch, registry, image } = served);
  });
  afterAll(() => served?.remove());

  /** Pulls through a proxy that treats each request as `decide` says. */
  async function pullThrough(
    repo: string,
    decide: (path: string, method: string) => Fate,
    more: readonly string[] = IMPATIENT,
  ) {
    const proxy = await startFaultyProxy(registry.address, decide);
    try {
      const reference = `ostree-unverified-registry:${proxy.address}/os`;
      return { ...(await bootc(pullArgs(repo, reference, INSECURE, ...more))), asked: proxy.asked };
    } finally {
      await proxy.stop();
    }
  }

  const isLayer = (path: string, index: number) => path.endsWith(`/${image.layerDigests[index]}`);

  function refs(repo: string): readonly string[] {
    return ostree("refs", `--repo=${repo}`).split("\n").filter(Boolean);
  }

  test("a stall in the middle of a blob is noticed, and only unfinished blobs are fetched again", async () => {
    const repo = scratch.repo();
    let isFirst = true;
    const ended = await pullThrough(repo, (path) => {
      if (!isLayer(path, 1) || !isFirst) return PASS;
      isFirst = false;
      return { kind: "stall", afterBytes: 600_000 };
    });
    expect(ended.stderr).toMatch(
      /nothing came from `127.0.0.1:\d+` for 2 s; trying again in 500 ms/,
    );
    expect(ended.status).toBe(0);
    const asked = ended.asked.filter((it) => isLayer(it, 0) || isLayer(it, 2));
    expect(asked).toHaveLength(2);
    expect(await leftovers(repo)).toEqual([]);
  });

  test("a pull from a registry that stalls forever fails, and names it and the missing layers", async () => {
    const repo = scratch.repo();
    let afterBytes = 100_000;
    const ended = await pullThrough(repo, (path) => {
      if (!isLayer(path, 1)) return PASS;
      const fate = { kind: "stall", afterBytes } as const;
      afterBytes = 0;
      return fate;
    });
    expect(ended.status).toBe(4);
    const missing = image.layerDigests[1]?.slice("sha256:".length, "sha256:".length + 12);
    expect(ended.stderr).toMatch(
      new RegExp(`gave up fetching from \`127.0.0.1:\\d+\`; not complete: ${missing}: `),
    );
    expect(refs(repo).filter((it) => it.startsWith("ostree/"))).toEqual([]);
    // The next run finds the other layers imported.
    const again = await pullThrough(repo, () => PASS);
    expect(again.status).toBe(0);
    expect(again.asked.filter((it) => isLayer(it, 0) || isLayer(it, 2))).toEqual([]);
  });

  test.each([
    { what: "a connection that breaks", fate: { kind: "cut", afterBytes: 700_000 } as const },
    { what: "too many requests", fate: { kind: "status", status: 429 } as const },
    { what: "a server in trouble", fate: { kind: "status", status: 503 } as const },
  ])("$what is tried again", async ({ fate }) => {
    const repo = scratch.repo();
    let failures = 2;
    const ended = await pullThrough(
      repo,
      (path) => (isLayer(path, 1) && failures-- > 0 ? fate : PASS),
      ["--stall-timeout", "10"],
    );
    expect(ended).toMatchObject({ status: 0 });
  });

  test("a server that is always in trouble fails as network, before and while fetching", async () => {
    const always = await pullThrough(scratch.repo(), () => ({ kind: "status", status: 500 }));
    expect(always).toMatchObject({ status: 4 });
    expect(always.stderr).toMatch(/^error: .*500/m);
  });

  test("no server at the address is a failure of the network, no such image or tag is not", async () => {
    const none = await bootc(pullArgs(scratch.repo(), "ostree-unverified-registry:127.0.0.1:1/os"));
    expect(none).toMatchObject({ status: 4, stdout: "" });
    await registry.requests();
    for (const name of ["none", "os:none"]) {
      const missing = await bootc(
        pullArgs(
          scratch.repo(),
          `ostree-unverified-registry:${registry.address}/${name}`,
          INSECURE,
        ),
      );
      expect(missing).toMatchObject({ status: 1, stdout: "" });
      expect(missing.stderr).toMatch(
        /^error: skopeo cannot get .*none.*\nhint: check its name .*\n$/,
      );
    }
    // Each is asked for by the proxy, and once more by the skopeo whose error is reported.
    const asked = (await registry.requests()).filter((it) => it.includes("/manifests/"));
    expect(asked).toHaveLength(4);
  });

  test("a mistake in registries.conf is not a failure of the network, and names the file and the place", async () => {
    const home = await mkdtemp(join(scratch.dir, "home-"));
    const file = join(home, ".config/containers/registries.conf");
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '[[registry]]\nlocation = "x\n');
    const reference = `ostree-unverified-registry:${registry.address}/os`;
    const env = { HOME: home, CONTAINERS_POLICY_JSON: "/etc/containers/policy.json" };
    const ended = await bootc(pullArgs(scratch.repo(), reference, INSECURE), { env });
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(ended.stderr).toMatch(
      new RegExp(
        `^error: skopeo cannot get .*"${file}": toml: line 2 .*\nhint: mend that file; .*\n$`,
      ),
    );
  });

  test("a blob that does not match its digest fails as integrity, and is not kept", async () => {
    const repo = scratch.repo();
    const ended = await pullThrough(repo, (path) =>
      isLayer(path, 1) ? { kind: "corrupt" } : PASS,
    );
    expect(ended).toMatchObject({ status: 6 });
    expect(refs(repo).filter((it) => it.startsWith("ostree/"))).toEqual([]);
    expect(await leftovers(repo)).not.toContain(
      `blobs/sha256/${image.layerDigests[1]?.slice("sha256:".length)}`,
    );
  });

  test("a blob left by an earlier run is trusted by its hash, not by its name", async () => {
    const repo = scratch.repo();
    const dir = join(repo, "extensions/bootc/blobs/sha256");
    await mkdir(dir, { recursive: true });
    const hex = (index: number) => image.layerDigests[index]?.slice("sha256:".length) ?? "";
    await writeFile(join(dir, hex(1)), randomBytes(createRandom(3), 2_000_000));
    await writeFile(join(dir, hex(2)), "");
    const ended = await pullThrough(repo, () => PASS);
    expect(ended).toMatchObject({ status: 0 });
    expect(await leftovers(repo)).toEqual([]);
  });

  test.each([
    { what: "rejects", policy: { default: [{ type: "reject" }] } },
    {
      what: "demands a signature",
      policy: {
        default: [
          { type: "signedBy", keyType: "GPGKeys", keyPath: "/etc/ssl/certs/ca-certificates.crt" },
        ],
      },
    },
  ])("a policy that $what stops the pull before a layer is fetched", async ({ policy }) => {
    const repo = scratch.repo();
    const file = join(scratch.dir, "policy.json");
    await writeFile(file, JSON.stringify(policy));
    await registry.requests();
    const ended = await bootc(
      pullArgs(repo, `ostree-unverified-registry:${registry.address}/os`, INSECURE),
      { env: { CONTAINERS_POLICY_JSON: file } },
    );
    expect(ended).toMatchObject({ status: 7 });
    const blobs = blobRequests(await registry.requests());
    for (const digest of image.layerDigests) expect(blobs.join("\n")).not.toContain(digest);
    expect(refs(repo)).toEqual([]);
  });

  test.each([
    ["not JSON", '{\n  "default": [{"type": "reject"}],\n}', "it is not JSON: line 3, column 1"],
    ["of an unknown kind", '{"default": [{"type": "rejct"}]}', 'requirement type "rejct"'],
  ])(
    "a policy that is %s is an error that names the file and the place",
    async (_, text, place) => {
      const file = join(scratch.dir, "malformed.json");
      await writeFile(file, text);
      const reference = `ostree-unverified-registry:${registry.address}/os`;
      const ended = await bootc(pullArgs(scratch.repo(), reference, INSECURE, "--quiet"), {
        env: { CONTAINERS_POLICY_JSON: file },
      });
      expect(ended).toMatchObject({ status: 7 });
      const [line, hint, ...more] = ended.stderr.split("\n");
      expect(line).toMatch(/^error: /);
      expect(line).toContain(file);
      expect(line).toContain(place);
      expect(hint).toMatch(/^hint: .*containers-policy.json\(5\)$/);
      expect(more).toEqual([""]);
    },
  );

  test("a signed reference is refused where the policy's default accepts everything", async () => {
    const file = join(scratch.dir, "open.json");
    await writeFile(file, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
    const reference = `ostree-image-signed:docker://${registry.address}/os`;
    const ended = await bootc(pullArgs(scratch.repo(), reference, INSECURE), {
      env: { CONTAINERS_POLICY_JSON: file },
    });
    expect(ended).toMatchObject({ status: 7 });
    expect(ended.stderr).toContain(
      "containers-policy.json specifies a default of `insecureAcceptAnything`; refusing usage",
    );
  });

  /** Pulls as signed, under a policy that accepts images only from `addresses`. */
  async function startSigned(repo: string, name: string, ...addresses: readonly string[]) {
    const file = join(scratch.dir, "scoped.json");
    const accepted = addresses.map((it) => [it, [{ type: "insecureAcceptAnything" }]]);
    const transports = { docker: Object.fromEntries(accepted) };
    await writeFile(file, JSON.stringify({ default: [{ type: "reject" }], transports }));
    const env = { CONTAINERS_POLICY_JSON: file };
    return startBootc(pullArgs(repo, `ostree-image-signed:docker://${name}`, INSECURE), { env });
  }
  const pullSigned = async (...args: Parameters<typeof startSigned>) =>
    await (await startSigned(...args)).ended;

  /** An image that can be pushed under any name. */
  async function makePushable(content: TinyImage) {
    const dir = await mkdtemp(join(scratch.dir, "pushed-"));
    const push = (name: string) =>
      skopeo("copy", "-q", `oci:${dir}:os`, `docker://${name}`, "--dest-tls-verify=false");
    return { ...(await makeTinyImage(dir, "os", content)), push };
  }

  test("a stored image does not count as signed: the policy decides each time", async () => {
    const repo = scratch.repo();
    const name = `${registry.address}/os`;
    const pulled = await bootc(pullArgs(repo, `ostree-unverified-registry:${name}`, INSECURE));
    expect(pulled).toMatchObject({ status: 0 });
    const before = refs(repo);
    await registry.requests();
    const accepted = await pullSigned(repo, name, registry.address);
    expect(accepted).toMatchObject({ status: 0, stderr: "" });
    expect(accepted.stdout).toMatch(/^No changes in ostree-image-signed:docker:/);
    const rejected = await pullSigned(repo, name);
    expect(rejected).toMatchObject({ status: 7, stdout: "" });
    expect(rejected.stderr).toContain("is rejected by policy");
    const blobs = blobRequests(await registry.requests()).join("\n");
    for (const digest of image.layerDigests) expect(blobs).not.toContain(digest);
    expect(refs(repo)).toEqual(before);
    expect(await leftovers(repo)).toEqual([]);
  });

  test("a stored image that was recompressed is judged without fetching a layer", async () => {
    const repo = scratch.repo();
    const name = `${registry.address}/anew`;
    const layers = [{ "/usr/bin/a": "a".repeat(10_000) }];
    const first = await makePushable({ layers, level: 1 });
    first.push(name);
    await bootc(pullArgs(repo, `ostree-unverified-registry:${name}`, INSECURE));
    const anew = await makePushable({ layers, level: 9 });
    expect(anew.manifestDigest).not.toBe(first.manifestDigest);
    anew.push(name);
    await registry.requests();
    const accepted = await pullSigned(repo, name, registry.address);
    expect(accepted).toMatchObject({ status: 0, stdout: expect.stringMatching(/^No changes in /) });
    const blobs = blobRequests(await registry.requests()).join("\n");
    expect(blobs).not.toContain(anew.layerDigests[0]);
    expect(await pullSigned(repo, name)).toMatchObject({ status: 7, stdout: "" });
  });

  test("an image that another run stores while a signed pull waits is judged as well", async () => {
    const repo = scratch.repo();
    const stored = Promise.withResolvers<void>();
    const proxy = await startFaultyProxy(registry.address, (path) =>
      isLayer(path, 1) ? { kind: "hold", until: stored.promise } : PASS,
    );
    try {
      const name = `${proxy.address}/os`;
      const other = startBootc(pullArgs(repo, `ostree-unverified-registry:${name}`, INSECURE));
      await other.until(() => proxy.asked.some((it) => isLayer(it, 1)));
      const signed = await startSigned(repo, name);
      await signed.says("waiting for ");
      stored.resolve();
      expect(await other.ended).toMatchObject({ status: 0 });
      expect(await signed.ended).toMatchObject({
        status: 7,
        stdout: expect.not.stringMatching(/=>/),
      });
    } finally {
      stored.resolve();
      await proxy.stop();
    }
  });

  test("a tag that moves while the policy judges the stored image is followed", async () => {
    const repo = scratch.repo();
    (await makePushable({ layers: [{ "/usr/bin/a": "old" }] })).push(`${registry.address}/moving`);
    const next = await makePushable({ layers: [{ "/usr/bin/a": "new" }] });
    let isSigned = false;
    let manifests = 0;
    const proxy = await startFaultyProxy(registry.address, (path, method) => {
      const isManifest = method === "GET" && path.endsWith("/manifests/latest");
      // The plan asks first, and the copy that evaluates the policy asks second.
      if (isSigned && isManifest && ++manifests === 2) next.push(`${registry.address}/moving`);
      return PASS;
    });
    try {
      const proxied = `${proxy.address}/moving`;
      await bootc(pullArgs(repo, `ostree-unverified-registry:${proxied}`, INSECURE));
      isSigned = true;
      const ended = await pullSigned(repo, proxied, proxy.address);
      expect(ended).toMatchObject({ status: 0 });
      const [, commit = ""] = /^Wrote: \S+ => ([0-9a-f]{64})$/m.exec(ended.stdout) ?? [];
      expect(ostree("cat", `--repo=${repo}`, commit, "/usr/bin/a")).toBe("new");
    } finally {
      await proxy.stop();
    }
  });

  test("wrong credentials and missing ones fail as authentication", async () => {
    const closed = await startRegistry({ hasPassword: true });
    try {
      const reference = `ostree-unverified-registry:${closed.address}/os`;
      const none = await bootc(pullArgs(scratch.repo(), reference, INSECURE));
      expect(none).toMatchObject({ status: 5 });
      const file = join(scratch.dir, "wrong.json");
      const auth = Buffer.from(`${USER.name}:wrong`).toString("base64");
      await writeFile(file, JSON.stringify({ auths: { [closed.address]: { auth } } }));
      const wrong = await bootc(pullArgs(scratch.repo(), reference, INSECURE, "--authfile", file));
      expect(wrong).toMatchObject({ status: 5 });
      expect(wrong.stderr).toContain("hint: ");
    } finally {
      await closed.stop();
    }
  });

  test("an image that cannot fit is refused before anything is fetched", async () => {
    const dir = join(scratch.dir, "huge");
    await mkdir(dir);
    const huge = await makeTinyImage(dir, "os", {
      layers: [{ "/usr/x": "x" }],
      claimedBytes: 999e12,
    });
    await registry.requests();
    const repo = scratch.repo();
    const ended = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${dir}:os`));
    expect(huge.layerDigests).toHaveLength(1);
    expect(ended).toMatchObject({ status: 8 });
    expect(ended.stderr).toMatch(
      /Insufficient free space for oci:\S+ \(available: [\d.]+ \wB required: 999.0 TB\)/,
    );
    expect(await leftovers(repo)).toEqual([]);
  });

  test("Ctrl-C ends the pull and its children at once, and says so", async () => {
    const repo = scratch.repo();
    const proxy = await startFaultyProxy(registry.address, (path) =>
      isLayer(path, 1) ? { kind: "stall", afterBytes: 1000 } : PASS,
    );
    try {
      const reference = `ostree-unverified-registry:${proxy.address}/os`;
      const running = startBootc(pullArgs(repo, reference, INSECURE));
      await running.says("fetching ");
      await running.until(() => proxy.asked.some((it) => isLayer(it, 1)));
      expect(commandLinesWith(`${repo}/extensions/bootc/fetch-`)).not.toEqual([]);
      const startedAt = Date.now();
      running.kill("SIGINT");
      const ended = await running.ended;
      // Far below the 60 s after which the stall itself would be noticed.
      expect(Date.now() - startedAt).toBeLessThan(5000);
      expect(commandLinesWith(repo)).toEqual([]);
      expect(ended).toMatchObject({ status: 1 });
      expect(ended.stderr).toContain("interrupted");
      expect((await leftovers(repo)).filter((it) => it.startsWith("fetch-"))).toEqual([]);
    } finally {
      await proxy.stop();
    }
  });
});
