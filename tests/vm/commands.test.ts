// What people do with podman on a host: an image of what is booted, a build upon it, and the switch to the result.
// With BOOTC_VM_ENFORCING=1, the machine enforces an SELinux policy.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOwnDenials } from "../../src/testing/denials.ts";
import { boot, installDisk, type Lab, missingForLab, openLab, release, statusOf } from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";

const missing = await missingForLab();
const isEnforcing = process.env.BOOTC_VM_ENFORCING === "1";
const whenEnforcing = (title: string, body: () => Promise<void>) => {
  if (isEnforcing) test(title, body);
};

/** The recipe of the next image; no step of it needs a network. */
const RECIPE = `FROM localhost/bootc
RUN echo built-here > /usr/share/built-here
${isEnforcing ? "RUN cat /proc/self/attr/current > /usr/share/built-as" : ""}
RUN bootc container lint
LABEL org.opencontainers.image.version=p2
`;

/** As `semanage login --add --seuser user_u tester` maps the user. */
const CONFINED_USER = `
useradd --create-home --shell /bin/sh tester
echo tester:user_u:s0 >> /etc/selinux/default/seusers
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/tester
install -d -o tester -g tester -m 700 /home/tester/.ssh
install -o tester -m 600 /root/.ssh/tester.pub /home/tester/.ssh/authorized_keys
restorecon -RF /var/home/tester
`;

describe.skipIf(missing !== undefined)(`commands${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;
  const consoles: string[] = [];
  const bootNext = async (name: string): Promise<void> => {
    machine = await boot(lab, disk, name);
    consoles.push(machine.consolePath);
  };

  beforeAll(async () => {
    lab = await openLab("commands", {
      ...{ slot: 6, isEnforcing },
      packages: ["podman", "crun", "netavark"],
    });
    await release(lab, "p1", {
      files: { "etc/changed-here": "image\n", "etc/deleted-here": "image\n" },
    });
    disk = await installDisk(lab, { name: "commands", tag: "latest", sizeGiB: 12 });
    await bootNext("install");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  test("config-diff says what this host has changed in /etc, and brings a file back", async () => {
    await machine.must(
      "echo here > /etc/changed-here; rm /etc/deleted-here; echo here > /etc/added-here",
    );
    const lines = (await machine.must("bootc config-diff")).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        'Added "added-here"',
        'Modified "changed-here" (content)',
        'Removed "deleted-here"',
      ]),
    );
    await machine.must("bootc config-diff --restore /etc/changed-here");
    expect(await machine.must("cat /etc/changed-here")).toBe("image");
    const { changes } = JSON.parse(await machine.must("bootc config-diff --json")) as {
      readonly changes: readonly { readonly path: string }[];
    };
    const paths = changes.map((it) => it.path);
    expect(paths).toEqual(expect.arrayContaining(["added-here", "deleted-here"]));
    expect(paths).not.toContain("changed-here");
  });

  test("the booted image goes into podman's storage", async () => {
    const said = await machine.must("bootc image copy-to-storage", 1_800_000);
    expect(said).toMatch(/^Pushed: containers-storage:localhost\/bootc sha256:/m);
    const names = await machine.must("podman image list --format '{{.Repository}}:{{.Tag}}'");
    expect(names).toBe("localhost/bootc:latest");
    expect(await machine.must("ls /var/tmp")).not.toContain("bootc-export");
  });

  test("podman builds upon it, and lint is a step of the build", async () => {
    await machine.must(`mkdir /var/build && printf %s '${RECIPE}' > /var/build/Containerfile`);
    const said = await machine.must(
      "podman build --network none --tag localhost/next /var/build 2>&1",
      1_800_000,
    );
    expect(said).toContain("Checks passed: ");
    expect(said).not.toContain("Failed lint");
  });

  whenEnforcing("a confined user may not read the status, and is told what to do", async () => {
    await machine.must(CONFINED_USER);
    const ask = "ssh -n -o StrictHostKeyChecking=no -i /root/.ssh/tester tester@localhost";
    expect(await machine.must(`${ask} id -Z`)).toMatch(/^user_u:user_r:user_t:/);
    expect(await machine.must(`${ask} bootc --version`)).toMatch(/^bootc \d/);
    expect(await machine.must(`${ask} bootc updates status`)).toContain("Automatic updates: on");
    const ran = await machine.run(`${ask} bootc status`);
    expect([ran.status, ran.stderr]).toEqual([
      1,
      expect.stringMatching(/error: EACCES: .*'\/run\/ostree-booted'\nhint: .*run it as root/),
    ]);
  });

  test("the host switches to the result, and boots it", async () => {
    const said = await machine.must(
      "bootc switch --transport containers-storage localhost/next",
      1_800_000,
    );
    // The repository has what the copy was made of.
    expect(said).toMatch(/^layers already present: [1-9]\d*; layers needed: [1-3] /m);
    expect((await statusOf(machine)).status.staged?.image?.version).toBe("p2");
    await machine.reboot();
    await bootNext("built");
    const { status } = await statusOf(machine);
    expect(status.booted?.image?.image).toMatchObject({
      transport: "containers-storage",
      image: expect.stringMatching(/^localhost\/next/),
    });
    expect(await machine.must("cat /usr/share/built-here")).toBe("built-here");
    const builtAs = (await machine.run("cat /usr/share/built-as")).stdout;
    expect(builtAs).toMatch(isEnforcing ? /^system_u:system_r:container_t:/ : /^$/);
    expect(await machine.must("cat /etc/added-here")).toBe("here");
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
    expect(await machine.must("bootc upgrade 2>&1", 1_800_000)).toContain("No update available");
    await machine.must("ostree fsck --quiet", 1_800_000);
  });

  test("a rollback boots the image of the registry again", async () => {
    await machine.must("bootc rollback");
    await machine.reboot();
    await bootNext("rolled-back");
    const { status } = await statusOf(machine);
    expect([status.booted?.image?.version, status.rollback?.image?.version]).toEqual(["p1", "p2"]);
    expect((await machine.run("test -e /usr/share/built-here")).status).toBe(1);
  });

  whenEnforcing("SELinux denied nothing to bootc but memory to that user's", async () => {
    const logs = await Promise.all(consoles.map((it) => readFile(it, "utf8")));
    const denials = logs.flatMap(readOwnDenials);
    const isExpected = /denied +{ execmem } .* scontext=user_u:user_r:user_t:/;
    expect(denials.map((it) => it.line).filter((it) => !isExpected.test(it))).toEqual([]);
  });
});
