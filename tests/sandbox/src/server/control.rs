//! Orders to the sandbox, on each service's address below `/_sandbox/`: for tests, demonstrations and people.

use serde_json::{Value, json};

use super::Seat;
use crate::faults::{FaultPlan, Plan};
use crate::http::{Request, Response, Service};

impl<S: Service + Send + 'static> Seat<S> {
    /// Carries out an order; 400 with the reason where it cannot be.
    pub(super) fn control(&self, order: &str, request: &Request) -> Response {
        let method = match order {
            "state" => "GET",
            "clock" | "faults" | "edit" | "reset" => "POST",
            _ => {
                return refusal(
                    404,
                    "state, clock, faults, edit and reset are what can be ordered",
                );
            }
        };
        if request.method != method {
            return refusal(405, &format!("{order} takes {method}")).with("allow", method);
        }
        let result = match order {
            "state" => Ok(self.state()),
            "reset" => self.reset(),
            _ => body(request).and_then(|body| match order {
                "clock" => self.advance(&body),
                "faults" => self.replace_faults(&body),
                _ => self.service().edit(&body, self.world.clock.now()),
            }),
        };
        match result {
            Ok(answer) => Response::json(200, &answer),
            Err(reason) => refusal(400, &reason),
        }
    }

    fn state(&self) -> Value {
        let mut state = self.service().state();
        if let Value::Object(parts) = &mut state {
            parts.insert("now".to_owned(), json!(self.world.clock.now()));
            parts.insert("faults_struck".to_owned(), self.world.faults().report());
        }
        state
    }

    /// `{"advance": SECONDS}`, answered with the new time. The clock is one for both services.
    fn advance(&self, body: &Value) -> Result<Value, String> {
        let seconds = body
            .get("advance")
            .and_then(Value::as_u64)
            .and_then(|seconds| u32::try_from(seconds).ok())
            .ok_or("expected {\"advance\": SECONDS}, whole seconds, at most 136 years")?;
        let now = self.world.clock.advance(seconds);
        Ok(json!({"now": now.ok_or("the clock cannot be moved so far")?}))
    }

    /// Replaces the plan for both services; `{}` is none.
    fn replace_faults(&self, body: &Value) -> Result<Value, String> {
        let plan = Plan::from_json(body).map_err(|error| error.to_string())?;
        let counts = json!({"faults": plan.faults.len(), "rates": plan.rates.len()});
        *self.world.faults() = FaultPlan::new(plan);
        Ok(counts)
    }

    /// Makes this service as it was at the start; clock and fault plan stay.
    fn reset(&self) -> Result<Value, String> {
        let fresh = (self.again)()?;
        *self.service() = fresh;
        Ok(json!({"reset": true}))
    }
}

fn body(request: &Request) -> Result<Value, String> {
    serde_json::from_slice(&request.body).map_err(|error| format!("the body is no JSON: {error}"))
}

fn refusal(status: u16, reason: &str) -> Response {
    Response::json(status, &json!({"error": reason}))
}
