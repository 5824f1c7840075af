import { describe, expect, it } from "vitest";
import type { DslError } from "$ipc";
import { faultWords, nextStep } from "./fault";

const made = (name: string, fields: Partial<DslError>): DslError => ({ type: `https://serverlessworkflow.io/spec/1.0.0/errors/${name}`, code: null, status: 500, title: null, detail: null, instance: null, ...fields });

describe("what failed", () => {
  it.each([
    ["POST pay.example.com:443/charges: answered 503: upstream is down", 4, "pay.example.com answered 503 after 4 attempts", "upstream is down"],
    ["GET 127.0.0.1:7411: answered 500", 1, "127.0.0.1:7411 answered 500", null],
    ["GET warehouse.example:80/a:b?c: answered 404: no such item: 7", 2, "warehouse.example answered 404 after 2 attempts", "no such item: 7"],
  ])("%s", (detail, attempts, title, text) => expect(faultWords(made("communication", { title: "HTTP 503 Service Unavailable", detail }), attempts)).toEqual({ title, text }));

  it("names who gave no answer", () => {
    const detail = "POST pay.example.com:8443/charges: no complete answer within 5000 ms";
    expect(faultWords(made("timeout", { title: "No answer in time", detail }), 3)).toEqual({ title: "pay.example.com:8443 gave no answer in time after 3 attempts", text: detail });
  });

  it("is the error's own title where nobody was called", () => {
    expect(faultWords(made("expression", { title: "The expression failed", detail: "null has no keys" }))).toEqual({ title: "The expression failed", text: "null has no keys" });
    expect(faultWords(made("x", { status: 418 }))).toEqual({ title: "Error 418", text: null });
  });
});

describe("what to do next", () => {
  it("names the task at which a retry goes on", () => expect(nextStep(made("communication", {}), "Charge card")).toContain("the run goes on at Charge card"));
  it("is a replay where the run can't be retried", () => expect(nextStep(made("communication", {}), null)).toBe("Find out why the other side failed, then replay the run."));
  it("does not send a person to a retry that would fail again", () => {
    expect(nextStep(made("validation", {}), "Charge card")).toBe("Replay the run with data that fits.");
    expect(nextStep(made("expression", {}), "Charge card")).toContain("deploy it, then replay");
  });
  it("says that the workflow raised it", () => expect(nextStep({ ...made("", {}), type: "https://shop.example/errors/out-of-stock" }, null)).toContain("raised this error itself"));
});
