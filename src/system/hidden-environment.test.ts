import { expect, test } from "vitest";
import { withHiddenVariables } from "./hidden-environment.ts";

test("hidden variables get their names back, and no others", () => {
  const env = {
    PATH: "/bin",
    nODE_OPTIONS: "--no-warnings",
    uV_THREADPOOL_SIZE: "8",
    oPENSSL_CONF: "/etc/a.cnf",
    iCU_DATA: "/usr/share/icu",
    sIMDUTF_FORCE_IMPLEMENTATION: "fallback",
    node_options: "",
    no_proxy: "localhost",
    SSL_CERT_FILE: "/etc/ca.pem",
  };
  expect(withHiddenVariables(env)).toEqual({
    PATH: "/bin",
    NODE_OPTIONS: "--no-warnings",
    UV_THREADPOOL_SIZE: "8",
    OPENSSL_CONF: "/etc/a.cnf",
    ICU_DATA: "/usr/share/icu",
    SIMDUTF_FORCE_IMPLEMENTATION: "fallback",
    node_options: "",
    no_proxy: "localhost",
    SSL_CERT_FILE: "/etc/ca.pem",
  });
});

test("an environment without any stays the same object", () => {
  const env = { PATH: "/bin", NODE_OPTIONS: "" };
  expect(withHiddenVariables(env)).toBe(env);
});
