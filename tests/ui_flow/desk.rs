//! A window without a display, hands for it, and what they made it ask of the machine.

use std::{cell::RefCell, rc::Rc, time::Duration};

use i_slint_backend_testing::{ElementHandle, mock_elapsed_time};
use slint::{ComponentHandle, SharedString, platform::WindowEvent};
use teilhabe_terminal::{
    domain::ids::RecordId,
    terminal::{command::OperatorCommand, screen::Page},
    ui::{Face, Metrics, Options},
};

use crate::{pictures, screens};

pub(crate) struct Desk {
    pub(crate) face: Face,
    commands: Rc<RefCell<Vec<OperatorCommand>>>,
    pub(crate) shown: Rc<RefCell<Vec<RecordId>>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(&Options::default())
    }

    pub(crate) fn with(options: &Options) -> Self {
        pictures::start();
        let face = Face::open(options).unwrap();
        let (commands, shown) = (Rc::<RefCell<Vec<_>>>::default(), Rc::<RefCell<Vec<_>>>::default());
        face.connect(
            {
                let commands = Rc::clone(&commands);
                move |command| commands.borrow_mut().push(command)
            },
            {
                let shown = Rc::clone(&shown);
                move |record| shown.borrow_mut().push(record)
            },
        );
        pictures::resize(&face, 1280, 800);
        pictures::settle();
        Self { face, commands, shown }
    }

    pub(crate) fn show(&self, page: Page, language: &str) {
        self.face.show(&screens::screen(page, language));
        pictures::settle();
    }

    pub(crate) fn find(&self, label: &str) -> Vec<ElementHandle> {
        ElementHandle::find_by_accessible_label(self.face.window(), label).collect()
    }

    pub(crate) fn touch(&self, label: &str) {
        let found = self.find(label);
        let key = found.iter().find(|e| e.accessible_role() == Some(i_slint_backend_testing::AccessibleRole::Button));
        let key = key.unwrap_or_else(|| panic!("no key '{label}' on this page"));
        key.mock_single_click(slint::platform::PointerEventButton::Left);
        mock_elapsed_time(Duration::from_millis(20));
    }

    pub(crate) fn press(&self, key: impl Into<SharedString>) {
        let text = key.into();
        let window = self.face.window().window();
        window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        window.dispatch_event(WindowEvent::KeyReleased { text });
        mock_elapsed_time(Duration::from_millis(20));
    }

    pub(crate) fn type_text(&self, text: &str) {
        for c in text.chars() {
            self.press(SharedString::from(c));
        }
    }

    pub(crate) fn show_named(&self, name: &str, language: &str) {
        let (_, screen) = screens::all(language).into_iter().find(|(n, _)| n == name).unwrap();
        self.face.show(&screen);
        pictures::settle();
    }

    pub(crate) fn text_size(&self) -> f32 {
        self.face.window().global::<Metrics<'_>>().get_text_scale()
    }

    pub(crate) fn draw(&self) {
        self.face.window().window().take_snapshot().unwrap();
    }

    pub(crate) fn taken(&self) -> Vec<OperatorCommand> {
        self.commands.take()
    }

    /// The page of the first set-up, with nothing typed.
    pub(crate) fn set_up(&self) {
        self.show(Page::Ready { choose_child: false }, "de");
        self.show_named("activation-code", "de");
    }

    pub(crate) fn activated(&self) -> (String, String) {
        match &self.taken()[..] {
            [OperatorCommand::Activate { code, admin_pin: Some(pin) }] => (code.clone(), pin.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// What a field holds, as a screen reader reads it.
    pub(crate) fn value(&self, label: &str) -> String {
        let found = self.find(label);
        let field =
            found.iter().find(|e| e.accessible_role() == Some(i_slint_backend_testing::AccessibleRole::TextInput));
        field.and_then(ElementHandle::accessible_value).unwrap_or_default().to_string()
    }

    pub(crate) fn click(&self, x: f32, y: f32) {
        let (window, button) = (self.face.window().window(), slint::platform::PointerEventButton::Left);
        let position = slint::LogicalPosition::new(x, y);
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        mock_elapsed_time(Duration::from_millis(20));
    }
}
