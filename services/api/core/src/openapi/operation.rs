//! One operation of the API.

/// What a method on a path takes and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Lower-case method.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: String,
    /// The chapter that it belongs to.
    pub tag: &'static str,
    /// In a few words.
    pub summary: &'static str,
    /// What else there is to know.
    pub note: &'static str,
    /// Names of query parameters.
    pub query: &'static [&'static str],
    /// Schema of the request's body.
    pub body: Option<&'static str>,
    /// Status when all is well.
    pub status: u16,
    /// Schema of the answer; none for an empty one.
    pub answer: Option<&'static str>,
    /// Statuses of problems that only some operations have.
    pub problems: &'static [u16],
    /// Whether no token is needed.
    pub public: bool,
}

impl Operation {
    pub(super) fn new(method: &'static str, path: impl Into<String>, tag: &'static str) -> Self {
        Self {
            method,
            path: path.into(),
            tag,
            summary: "",
            note: "",
            query: &[],
            body: None,
            status: 200,
            answer: None,
            problems: &[],
            public: false,
        }
    }

    pub(super) const fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(super) const fn notes(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    pub(super) const fn query(mut self, names: &'static [&'static str]) -> Self {
        self.query = names;
        self
    }

    pub(super) const fn takes(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }

    pub(super) const fn answers(mut self, status: u16, schema: &'static str) -> Self {
        self.status = status;
        self.answer = Some(schema);
        self
    }

    pub(super) const fn empties(mut self) -> Self {
        self.status = 204;
        self
    }

    pub(super) const fn fails(mut self, problems: &'static [u16]) -> Self {
        self.problems = problems;
        self
    }

    pub(super) const fn open(mut self) -> Self {
        self.public = true;
        self
    }

    /// Names of the parameters in the path.
    pub fn path_parameters(&self) -> Vec<&str> {
        let parts = self.path.split('{').skip(1);
        parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    /// Statuses of every problem that it answers with, in order.
    pub fn all_problems(&self) -> Vec<u16> {
        let mut all = self.problems.to_vec();
        if !self.public {
            all.extend([401, 403, 503]);
        }
        if !self.path_parameters().is_empty() {
            all.push(404);
        }
        if self.body.is_some() {
            all.extend([400, 408, 413, 415]);
        }
        if !self.query.is_empty() {
            all.push(400);
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A name that no other operation has.
    pub fn id(&self) -> String {
        let words = self.path.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        words.fold(self.method.to_owned(), |id, word| format!("{id}-{word}"))
    }
}
