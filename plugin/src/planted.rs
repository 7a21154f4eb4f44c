//! Classic mistakes of programs like this one, planted on purpose: the tests must catch each of them, or they prove nothing.
//!
//! Each stands where the right code makes it impossible, as `is_planted(Mistake::…)`. Only the feature `planted` can switch one on, for the
//! calling thread; in everything that is shipped the question is constantly answered no, and the compiler removes it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Requests leave before their intent is stored.
    NoIntent,
    /// A request that was not answered counts as not sent.
    TimeOutMeansUnsent,
    /// A look-up that failed counts as one that found nothing.
    FailedLookUpMeansAbsent,
    /// Absence is concluded while the request may still be on its way.
    AbsentAtOnce,
    /// The cursor moves before the records behind it are handled.
    CursorFirst,
    /// A page that is not full is taken for the end, and not read.
    LastPageDropped,
    /// What a search left out is taken for deleted.
    IgnoredSearchMeansDeleted,
    /// Ties are rounded otherwise than Sage does.
    TiesTheOtherWay,
    /// What Sage stored is not compared with what Splynx says.
    TotalNotCompared,
    /// A document of the same number is taken for ours.
    AdoptedByNumber,
    /// Receipts that we made ourselves are imported like all others.
    Echo,
    /// A receipt that was listed as a record of its own is no longer doubted about.
    ListedIsNoDoubt,
    /// Money looks like other money only if both are of one day.
    SameDayOnly,
    /// What was imported once is not looked at again.
    HalfIsWatched,
    /// What a person has settled by hand is never looked at again.
    DoneForEver,
    /// What was sent is not noted, so that it looks changed for ever.
    HashNotKept,
    /// An update sends only the fields that we know.
    FieldsForgotten,
    /// A changed setting brings nothing back.
    NobodyWoken,
    /// A record that cannot be read ends the run.
    PoisonStops,
    /// A preview does not remember what it has listed in Sage.
    PreviewForgets,
    /// What was listed once is believed for ever.
    ListBelieved,
    /// A text that looks like our mark is taken for proof.
    LooksProve,
    /// Whatever an update finds is overwritten.
    UpdateBlind,
    /// A record is taken for the one that had its id before.
    IdsBelieved,
    /// What no change stamp tells of is not looked for.
    StampsBelieved,
    /// Splynx's clock is taken for the host's.
    ClocksAgree,
    /// What people edit in Sage of what was sent is not noticed.
    EditUnnoticed,
    /// A relation that changes alone is not looked at.
    RelationUnnoticed,
    /// An allocation that is taken away in Sage alone is not missed.
    AllocationUnmissed,
    /// What looks like something that is there is believed to be new.
    LookalikeBelieved,
    /// What was deleted and entered again is believed to be new.
    RetypedBelieved,
    /// Whom a setting leaves out only the customers' own job leaves out.
    LeftOutByOneJob,
}

impl Mistake {
    pub const ALL: [Self; 32] = [
        Self::NoIntent,
        Self::TimeOutMeansUnsent,
        Self::FailedLookUpMeansAbsent,
        Self::AbsentAtOnce,
        Self::CursorFirst,
        Self::LastPageDropped,
        Self::IgnoredSearchMeansDeleted,
        Self::TiesTheOtherWay,
        Self::TotalNotCompared,
        Self::AdoptedByNumber,
        Self::Echo,
        Self::ListedIsNoDoubt,
        Self::SameDayOnly,
        Self::HalfIsWatched,
        Self::DoneForEver,
        Self::HashNotKept,
        Self::FieldsForgotten,
        Self::NobodyWoken,
        Self::PoisonStops,
        Self::PreviewForgets,
        Self::ListBelieved,
        Self::LooksProve,
        Self::UpdateBlind,
        Self::IdsBelieved,
        Self::StampsBelieved,
        Self::ClocksAgree,
        Self::EditUnnoticed,
        Self::RelationUnnoticed,
        Self::AllocationUnmissed,
        Self::LookalikeBelieved,
        Self::RetypedBelieved,
        Self::LeftOutByOneJob,
    ];
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Plants a mistake in what this thread does from now on; `None`: everything is right again.
#[cfg(feature = "planted")]
pub fn plant(mistake: Option<Mistake>) {
    PLANTED.set(mistake);
}

#[cfg(feature = "planted")]
pub(crate) fn is_planted(mistake: Mistake) -> bool {
    PLANTED.get() == Some(mistake)
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn is_planted(_: Mistake) -> bool {
    false
}
