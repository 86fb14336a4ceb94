import { expect, test } from "vitest";
import { escapeForRpm, renderTemplate } from "./template.ts";

const render = (template: string, values: object) => renderTemplate("a.ejs", template, values);

test.each([
  { template: "Version: <%= it.version %>", want: "Version: 2.0.0" },
  { template: "<%= it.summary %>", want: '100%%{nil} & "more" <here>' },
  { template: "<%- it.raw %>", want: "%{_prefix}/lib" },
  {
    template: "<% for (const it2 of it.list) { -%>\n- <%= it2.name %>\n<% } -%>",
    want: "- a\n- b\n",
  },
])("$template", ({ template, want }) => {
  const values = {
    version: "2.0.0",
    summary: '100%{nil} & "more" <here>',
    raw: "%{_prefix}/lib",
    list: [{ name: "a" }, { name: "b" }],
  };
  expect(render(template, values)).toBe(want);
});

test.each([
  { template: "<%= it.vresion %>", want: "`a.ejs` uses `it.vresion`, which has no value" },
  { template: "<%= it.deep.none %>", want: "`a.ejs` uses `it.deep.none`, which has no value" },
  { template: "<%= it.none %>", want: "`a.ejs` uses `it.none`, which has no value" },
  { template: "<% for (const x of it.list) { %><%= x.b %><% } %>", want: "it.list.0.b" },
  { template: "<%= version %>", want: "`a.ejs` cannot be rendered" },
  { template: "<%= it.text %>", want: "has more than one line" },
])("$template fails: $want", ({ template, want }) => {
  const values = { deep: {}, none: undefined, list: [{ a: 1 }], text: "a\nRequires: evil" };
  expect(() => render(template, values)).toThrow(want);
});

test("rpm expands nothing in an escaped value", () => {
  expect(escapeForRpm("%{lua:os.exit()} 5%")).toBe("%%{lua:os.exit()} 5%%");
});
