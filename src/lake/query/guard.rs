//! What a statement may do: read. Decided on its plan, where every spelling of a statement looks the same.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{TableFactor, Visit, Visitor};

use super::QueryError;

/// Refuses what the planner passes over without a word, so that an answer would be one to another question.
pub(super) fn check_statement(statement: &Statement) -> Result<(), QueryError> {
    let passed_over = match statement {
        Statement::Statement(statement) => statement.visit(&mut PassedOver),
        Statement::Explain(explain) => return check_statement(&explain.statement),
        _ => ControlFlow::Continue(()),
    };
    match passed_over {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(reason) => Err(QueryError::Statement { reason: reason.to_owned() }),
    }
}

/// Finds what the planner leaves out of a table's mention.
struct PassedOver;

impl Visitor for PassedOver {
    type Break = &'static str;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<&'static str> {
        let is_sampled = match factor {
            TableFactor::Table { version: Some(_), .. } => {
                return ControlFlow::Break("a version in the statement is not supported: give it by --as-of");
            }
            TableFactor::Table { with_ordinality: true, .. } => {
                return ControlFlow::Break("WITH ORDINALITY is not supported: use row_number() over ()");
            }
            TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => sample.is_some(),
            _ => false,
        };
        if is_sampled {
            return ControlFlow::Break(
                "TABLESAMPLE is not supported: choose rows by a condition, such as WHERE random() < 0.1, or by LIMIT",
            );
        }
        ControlFlow::Continue(())
    }
}

/// Refuses a plan that holds anything but reading, at any depth: under EXPLAIN and in subqueries too.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if let Some(what) = refused {
        return Err(QueryError::Refused { what });
    }
    // The engine's own list, should it know of more one day.
    let own = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let checked = walked.and_then(|_| own.verify_plan(plan));
    checked.map_err(|error| QueryError::Refused { what: super::error::words(&error) })
}

/// What a node would do, unless it only reads. Kinds that are not known to read are refused.
fn refusal(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
        LogicalPlan::Ddl(statement) => Some(spelled(statement.name())),
        LogicalPlan::Dml(statement) => Some(statement.op.name().to_uppercase()),
        LogicalPlan::Statement(statement) => Some(spelled(statement.name())),
        LogicalPlan::Copy(_) => Some("COPY".to_owned()),
        LogicalPlan::Extension(extension) => Some(extension.node.name().to_owned()),
    }
}

/// `CreateExternalTable` as it is written in a statement.
fn spelled(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_uppercase());
    }
    text
}
