import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

describe.skipIf(missing).each(simulatedOstrees)("status on ostree $version", (version) => {
  let host: SimulatedHost;
  let images: readonly StoredImage[];
  beforeAll(() => {
    host = makeHost(version);
    const older = storeImage(host, "os", { version: "1" });
    deploy(host, older, ["root=UUID=x"]);
    const booted = storeImage(host, "os", { version: "2" });
    deploy(host, booted, []);
    const staged = storeImage(host, "os", { version: "3" });
    writeFileSync(
      join(host.sysroot, "origin"),
      `[origin]\ncontainer-image-reference=${staged.origin}\n`,
    );
    const { status, stderr } = host.shell(
      `ostree admin deploy --stage --os=default --origin-file=/sysroot/origin ${staged.commit}`,
    );
    expect(status, stderr).toBe(0);
    images = [staged, booted, older];
  });
  afterAll(() => host.remove());

  const USER = { uid: 65534 };
  const read = (words = "status --json", options = {}) => {
    const { stdout, status, stderr } = host.bootc(words, options);
    expect(status, stderr).toBe(0);
    return { stderr, stdout, document: words.endsWith("--json") ? JSON.parse(stdout) : undefined };
  };
  const digests = ({ status }: { status: Record<string, { image: { imageDigest: string } }> }) =>
    ["staged", "booted", "rollback"].map((it) => status[it]?.image.imageDigest);

  test("its slots are what ostree lists, and the document is valid", () => {
    const { document, stdout, stderr } = read();
    expect(digests(document)).toEqual(images.map((it) => it.digest));
    const listed = host.shell("ostree admin status").stdout.match(/[0-9a-f]{64}/g);
    expect(listed).toEqual(images.map((it) => it.commit));
    expect([stdout.endsWith("}"), stderr]).toEqual([true, ""]);
    const schema = JSON.parse(read("internals print-json-schema --of host").stdout);
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
  });

  test("users see the same, and nothing is locked or written", () => {
    expect(read("status --json", USER).document).toEqual(read().document);
    expect(existsSync(join(host.run, "bootc"))).toBe(false);
  });

  test("--booted shows only the booted deployment", () => {
    const { status } = read("status --booted --json").document;
    expect([status.staged, status.rollback, status.booted.image.version]).toEqual([
      null,
      null,
      "2",
    ]);
  });

  test("only format versions 0 and 1 exist", () => {
    expect(read("status --format-version 0 --json").document).toEqual(read().document);
    expect(host.bootc("status --format-version 2")).toMatchObject({
      status: 2,
      stdout: "",
      stderr: "error: Unsupported format version: 2\nhint: use 0 or 1\n",
    });
    const { stderr } = host.bootc("status --json --format-version 2");
    expect(JSON.parse(stderr).error.message).toBe("Unsupported format version: 2");
  });

  describe("where the boot loader's entries are closed to users", () => {
    const copy = () => join(host.run, "bootc/boot-entries");
    beforeAll(() => chmodSync(join(host.sysroot, "boot/loader/entries"), 0o700));
    afterAll(() => chmodSync(join(host.sysroot, "boot/loader/entries"), 0o755));

    test("without a copy users see the order of ostree's refs", () => {
      const { document, stderr } = read("status --json", USER);
      expect([digests(document), stderr]).toEqual([images.map((it) => it.digest), ""]);
    });

    test("an odd or missing ref affects only its own place in that order", () => {
      const numbers = ["0/0", "0/1", "1/0", "1/1"].map((it) =>
        join(host.repo, "refs/heads/ostree", it),
      );
      const refs = numbers.find((it) => existsSync(it)) ?? "";
      // Staged, booted and rollback.
      expect(readdirSync(refs).sort()).toEqual(["0", "1", "2"]);
      const last = readFileSync(join(refs, "2"), "utf8");
      rmSync(join(refs, "2"));
      mkdirSync(join(refs, "2"));
      mkdirSync(join(refs, "3"));
      for (const it of ["4", "foo"]) symlinkSync("nowhere", join(refs, it));
      writeFileSync(join(refs, "bar"), "");
      try {
        const { document, stderr } = read("status --json", USER);
        expect([digests(document), stderr]).toEqual([images.map((it) => it.digest), ""]);
      } finally {
        for (const it of ["2", "3", "4", "foo", "bar"]) rmSync(join(refs, it), { recursive: true });
        writeFileSync(join(refs, "2"), last);
      }
    });

    test("root leaves a copy, and users read it and its age", () => {
      read();
      const readAt = statSync(copy())
        .mtime.toISOString()
        .replace(/\.\d+Z$/, "Z");
      const { document, stderr } = read("status --json", USER);
      expect(digests(document)).toEqual(images.map((it) => it.digest));
      expect(document.metadata.annotations).toEqual({
        "org.containers.bootc/boot-entries-read-at": readAt,
      });
      expect(stderr).toBe(
        `note: the boot loader's entries are closed to users; shown as of ${readAt}, 0 min ago\n`,
      );
    });

    test("a copy of entries that ostree has since replaced is ignored", () => {
      for (const name of ["boot.0", "boot.1"]) rmSync(join(copy(), name), { force: true });
      symlinkSync("boot.9.9", join(copy(), "boot.0"));
      const { document, stderr } = read("status --json", USER);
      expect([digests(document), stderr]).toEqual([images.map((it) => it.digest), ""]);
      const made = realpathSync(copy());
      rmSync(copy());
      for (const damage of [
        () => writeFileSync(copy(), "what"),
        () => symlinkSync("nowhere", copy()),
        () => mkdirSync(copy()),
        () => mkdirSync(copy(), { mode: 0o700 }),
      ]) {
        damage();
        expect(digests(read("status --json", USER).document)).toEqual(
          images.map((it) => it.digest),
        );
        rmSync(copy(), { recursive: true });
      }
      rmSync(made, { recursive: true });
    });
  });

  test("after a reboot the staged deployment is booted", () => {
    host.reboot();
    const { document } = read();
    expect(digests(document)).toEqual([undefined, images[0]?.digest, images[1]?.digest]);
  });

  test("in a container and on other machines the default document is printed without remarks", () => {
    const inContainer = read("status --json", { env: { container: "podman" } });
    expect(inContainer.document.status.booted).toBeNull();
    expect(inContainer.stderr).toBe("");
    const { stdout } = host.shell("rm /run/ostree-booted; bootc status --format humanreadable");
    expect(stdout).toBe("System is not deployed via bootc.\n");
  });
});
