import { describe, expect, test } from "vitest";
import { listVerbs, readCompatibility } from "../testing/compatibility.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { markPassedArguments } from "./asked-command.ts";
import type { AnyCommand } from "./commander.ts";
import { createProgram } from "./program.ts";

const { ctx } = scriptedContext("/nonexistent", []);

const ACCESS = "--auth-anonymous --authfile --cert-dir --insecure-skip-tls-verification";

const INSTALL =
  "--source-imgref --target-transport --target-imgref --target-no-signature-verification " +
  "--enforce-container-sigpolicy --run-fetch-check --skip-fetch-check --disable-selinux --karg " +
  "--karg-delete --root-ssh-authorized-keys --generic-image --bound-images --stateroot " +
  "--bootupd-skip-boot-uuid --bootloader --experimental-unified-storage --composefs-backend " +
  "--allow-missing-verity --uki-addon";

/** Options of other implementations, which their callers may therefore pass; every verb of theirs is here. */
const TAKEN: Readonly<Record<string, string>> = {
  status: "--format --json --format-version --booted -v --verbose",
  upgrade:
    "--quiet --check --apply --soft-reboot --download-only --from-downloaded --tag --progress-fd",
  update: "--quiet --apply",
  switch:
    "--transport --quiet --apply --soft-reboot --progress-fd --enforce-container-sigpolicy --retain " +
    "--no-signature-verification --mutate-in-place --experimental-unified-storage",
  rollback: "--apply --soft-reboot",
  edit: "-f --filename --quiet",
  "usr-overlay": "--read-only",
  usroverlay: "--read-only",
  "bootc container export": "--format -o --output --kernel-in-boot --disable-selinux",
  "bootc container inspect": "--rootfs --json --format",
  "bootc container split-kernel-and-rootfs": "--rootfs --output",
  "bootc container ukify":
    "--rootfs --kernel-dir --karg --composefs-digest --allow-missing-verity --write-dumpfile-to",
  "bootc container lint": "--rootfs --fatal-warnings --list --skip --no-truncate",
  "config-diff": "",
  "delete-deployment": "",
  "exec-in-host-mount-namespace": "",
  "state wipe-ostree": "",
  "internals blockdev ls": "",
  "internals blockdev ls-filesystem": "",
  "internals dir-diff": "--merge",
  "internals dump-cli-json": "",
  "internals fsverity measure": "",
  "internals fsverity enable": "",
  "internals publish-rhsm-facts": "",
  "internals uki extract": "",
  "internals allocate-cleanup-loopback": "--file-path",
  "internals loopback-cleanup-helper": "--device",
  "internals relabel": "--as-path",
  "internals relabel-overlay-mountpoints": "",
  completion: "",
  "install to-disk": `--wipe --block-setup --filesystem --root-size --via-loopback ${INSTALL}`,
  "install to-filesystem": `--root-mount-spec --boot-mount-spec --replace --acknowledge-destructive --skip-finalize ${INSTALL}`,
  "install to-existing-root": `--replace --acknowledge-destructive --cleanup ${INSTALL}`,
  "install reset":
    "--experimental --source-imgref --target-transport --target-imgref --target-no-signature-verification --enforce-container-sigpolicy --run-fetch-check --skip-fetch-check --experimental-unified-storage --stateroot --no-root-kargs --karg --apply --quiet --progress-fd --lock-timeout --stall-timeout --give-up-after",
  "install finalize": "",
  "install ensure-completion": "",
  "install print-configuration": "--all",
  "loader-entries set-options-for-source": "--source --options",
  "internals systemd-generator": "",
  "internals fixup-etc-fstab": "",
  "internals sysusers-sync": "",
  "internals bootc-install-completion": "",
  "internals cleanup": "",
  "internals fsck": "",
  "internals print-json-schema": "--of",
  "internals reboot": "",
  "system-reinstall-bootc": "--composefs-backend",
  "image list": "--type --format",
  "image copy-to-storage": "--source --target",
  "image set-unified": "",
  "image cmd list": "",
  "image cmd build": "",
  "image cmd pull": "",
  "image cmd push": "",
  "image pull-from-default-storage": "",
  "container unencapsulate": `--repo --write-ref --quiet ${ACCESS}`,
  "container import": "--repo",
  "container encapsulate":
    "--repo -l --label --authfile --config --copymeta --copymeta-opt --cmd --compression-fast --contentmeta",
  "container export": "--repo",
  "container info": "",
  "container commit": "",
  "container compare": "",
  "internals ostree-ext tar import": "--repo",
  "internals ostree-ext tar export": "--repo --format-version",
  "internals ostree-ext ima-sign": "--repo --overwrite",
  "internals ostree-ext provisional-repair analyze-inodes": "--repo --verbose --write-result-to",
  "internals ostree-ext provisional-repair repair":
    "--sysroot --dry-run --verbose --write-result-to",
  "container image list": "--repo",
  "container image pull": `--ostree-digestfile --quiet --check ${ACCESS}`,
  "container image history": "--repo",
  "container image metadata": "--repo --config",
  "container image clear-cached-update": "--repo",
  "container image copy": "--src-repo --dest-repo",
  "container image reexport": "--repo --authfile --compression-fast",
  "container image replace-detached-metadata": "--src --dest",
  "container image remove": "--repo --skip-gc",
  "container image prune-layers": "--repo",
  "container image prune-images": "--sysroot --and-layers --full",
  "container image deploy":
    "--imgref --image --transport --ostree-remote --enforce-container-sigpolicy --sysroot --stateroot " +
    `--target-imgref --no-imgref --no-signature-verification --karg --write-commitid-to ${ACCESS}`,
};

/** Finds the command that the words name; `container …` is one of `ostree container`. */
function find(words: string): AnyCommand {
  const path = words.startsWith("container ")
    ? `internals ostree-ext ${words}`
    : words.replace(/^bootc /, "");
  return path.split(" ").reduce<AnyCommand>((command, word) => {
    const next = command.commands.find((it) => [it.name(), ...it.aliases()].includes(word));
    if (next === undefined) throw new Error(`no \`${word}\` in \`${words}\``);
    return next;
  }, createProgram(ctx));
}

test.each(Object.entries(TAKEN))("%s takes %s", (words, options) => {
  const known = find(words).options.flatMap((it) => [it.short, it.long]);
  expect(options.split(" ").filter((it) => it !== "" && !known.includes(it))).toEqual([]);
});

test("the internal command that prints all of them is declared with every visible command", () => {
  const names = (...asked: readonly string[]) => {
    const program = createProgram(ctx, { asked });
    return program
      .createHelp()
      .visibleCommands(program)
      .map((it) => it.name());
  };
  expect(names("internals", "dump-cli-json")).toEqual(names());
  expect(names("internals", "cleanup")).toEqual(["help"]);
  expect(names("internals")).toEqual(["help"]);
});

test.each([
  ["exec-in-host-mount-namespace ls -h --", "exec-in-host-mount-namespace -- ls -h --"],
  [
    "exec-in-host-mount-namespace --verbose ls -x",
    "exec-in-host-mount-namespace --verbose -- ls -x",
  ],
  ["exec-in-host-mount-namespace -- -x", "exec-in-host-mount-namespace -- -x"],
  ["exec-in-host-mount-namespace --help", "exec-in-host-mount-namespace --help"],
  ["image cmd build -t x .", "image cmd build -t x ."],
  ["completion bash --version", "completion bash --version"],
  ["unknown x -h", "unknown x -h"],
])("%s is read as %s", (given, want) => {
  expect(markPassedArguments(createProgram(ctx), given.split(" "))).toEqual(want.split(" "));
});
test("the table has every command that bootc 1.x has as well", () => {
  const own = readCompatibility().filter((it) => it.status === "own");
  const commands = listVerbs(createProgram(ctx)).filter(
    ({ name }) => !own.some((it) => it.verb === name),
  );
  const named = Object.keys(TAKEN).map(find);
  // Each look-up declares the command line anew, so commands are compared by their words.
  const known = named.map(wordsOf);
  expect(commands.map((it) => wordsOf(it.command)).filter((it) => !known.includes(it))).toEqual([]);
});

function wordsOf(command: AnyCommand): string {
  const above = command.parent === null ? "" : `${wordsOf(command.parent)} `;
  return `${above}${command.name()}`;
}

test("every command takes --verbose", () => {
  const leaves = (command: AnyCommand): readonly AnyCommand[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const without = leaves(createProgram(ctx)).filter(
    (it) => it.options.filter(({ long }) => long === "--verbose").length !== 1,
  );
  expect(without.map((it) => it.name())).toEqual([]);
});

describe("words that have no meaning together are refused", () => {
  const deploy = "internals ostree-container image deploy --imgref ostree-unverified-registry:x";
  test.each([
    ["upgrade --check", "--apply"],
    ["upgrade --check", "--soft-reboot=auto"],
    ["upgrade --check", "--download-only"],
    ["upgrade --check", "--from-downloaded"],
    ["upgrade --download-only", "--apply"],
    ["upgrade --download-only", "--from-downloaded"],
    ["upgrade --download-only", "--soft-reboot=auto"],
    ["switch x --mutate-in-place", "--apply"],
    ["switch x --mutate-in-place", "--soft-reboot=auto"],
    ["switch x --mutate-in-place", "--retain"],
    [deploy, "--transport=oci"],
    [deploy, "--ostree-remote=r"],
    [deploy, "--enforce-container-sigpolicy"],
    [
      deploy.replace("--imgref", "--no-signature-verification --image"),
      "--enforce-container-sigpolicy",
    ],
    ["internals ostree-container image prune-images --sysroot / --full", "--and-layers"],
    ["container inspect --json", "--format=yaml"],
  ])("%s %s", async (words, more) => {
    const program = createProgram(ctx, { isSilent: () => true });
    const argv = [...words.split(" "), more];
    await expect(program.parseAsync(argv, { from: "user" })).rejects.toThrow(/cannot be used with/);
  });
});
