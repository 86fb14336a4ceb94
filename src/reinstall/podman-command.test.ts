import { expect, test } from "vitest";
import { formatCommand } from "../system/quote.ts";
import { formatInstallArgs } from "./podman-command.ts";

const format = (more: object, env = {}) =>
  formatCommand(
    "podman",
    formatInstallArgs(env, {
      image: "quay.io/a:b",
      usesComposefs: false,
      hasCleanup: false,
      keyFile: undefined,
      ...more,
    }),
  );

test("the command is the one that bootc 1.x runs", () => {
  expect(format({ hasCleanup: true, keyFile: "/tmp/x" })).toBe(
    "podman run --privileged --pid=host --user=root:root -v /var/lib/containers:/var/lib/containers " +
      "-v /dev:/dev --security-opt label=type:unconfined_t -v /:/target " +
      "-v /tmp/x:/bootc_authorized_ssh_keys/root quay.io/a:b " +
      "bootc install to-existing-root --acknowledge-destructive --skip-fetch-check --cleanup " +
      "--root-ssh-authorized-keys /bootc_authorized_ssh_keys/root",
  );
});

test("without keys nothing about keys; composefs and the log filter are passed on", () => {
  expect(format({ usesComposefs: true }, { RUST_LOG: "debug" })).toBe(
    "podman run --privileged --pid=host --user=root:root -v /var/lib/containers:/var/lib/containers " +
      "-v /dev:/dev --security-opt label=type:unconfined_t -v /:/target --env=RUST_LOG=debug quay.io/a:b " +
      "bootc install to-existing-root --acknowledge-destructive --skip-fetch-check --composefs-backend",
  );
});
